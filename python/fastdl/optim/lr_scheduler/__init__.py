"""Learning-rate schedules, with the names and the chained form of `torch.optim.lr_scheduler`."""

from fastdl.optim.lr_scheduler.composite import ChainedScheduler, SequentialLR
from fastdl.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from fastdl.optim.lr_scheduler.decay import (
    ConstantLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from fastdl.optim.lr_scheduler.one_cycle import OneCycleLR
from fastdl.optim.lr_scheduler.plateau import ReduceLROnPlateau
from fastdl.optim.lr_scheduler.scheduler import LambdaLR, LRScheduler, MultiplicativeLR

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
