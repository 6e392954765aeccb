"""Optimisers and learning-rate schedules."""

from fastdl.optim import lr_scheduler
from fastdl.optim.optimizer import Optimizer

__all__ = ["Optimizer", "lr_scheduler"]
