"""Layers: modules that own parameters and call `fastdl.functional`."""

from fastdl.nn import functional, init, utils
from fastdl.nn.container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from fastdl.nn.conv2d import Conv2d
from fastdl.nn.cross_entropy import CrossEntropyLoss
from fastdl.nn.flatten import Flatten, Identity, Unflatten
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

__all__ = [
    "Conv2d",
    "CrossEntropyLoss",
    "Flatten",
    "Identity",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "Sequential",
    "Unflatten",
    "functional",
    "init",
    "utils",
]
