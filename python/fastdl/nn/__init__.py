"""Layers: modules that own parameters and call `fastdl.functional`."""

from fastdl.nn import functional, init, utils
from fastdl.nn.container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from fastdl.nn.flatten import Flatten, Identity, Unflatten
from fastdl.nn.module import Module
from fastdl.nn.parameter import Parameter

__all__ = [
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
