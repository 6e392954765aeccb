"""Weights and checkpoints in safetensors files, written atomically."""

from fastdl.io.checkpoint import load_checkpoint, save_checkpoint
from fastdl.io.safetensors import load_file, load_metadata, load_model, save_file, save_model

__all__ = [
    "load_checkpoint",
    "load_file",
    "load_metadata",
    "load_model",
    "save_checkpoint",
    "save_file",
    "save_model",
]
