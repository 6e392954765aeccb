"""Optimisers and learning-rate schedules."""

from fastdl.optim import lr_scheduler
from fastdl.optim.adam import Adam, AdamW
from fastdl.optim.optimizer import Optimizer
from fastdl.optim.rmsprop import RMSprop
from fastdl.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
