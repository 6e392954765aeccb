"""Layers: modules that own parameters and call `fastdl.functional`."""

from fastdl.nn import functional, init, utils
from fastdl.nn.activation import LeakyReLU, ReLU, Sigmoid, Tanh
from fastdl.nn.adaptive_avg_pool2d import AdaptiveAvgPool2d
from fastdl.nn.adaptive_max_pool2d import AdaptiveMaxPool2d
from fastdl.nn.avg_pool2d import AvgPool2d
from fastdl.nn.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from fastdl.nn.binary_cross_entropy import BCELoss
from fastdl.nn.binary_cross_entropy_with_logits import BCEWithLogitsLoss
from fastdl.nn.container import ModuleDict, ModuleList, ParameterDict, ParameterList, Sequential
from fastdl.nn.conv2d import Conv2d
from fastdl.nn.conv_transpose2d import ConvTranspose2d
from fastdl.nn.cross_entropy import CrossEntropyLoss
from fastdl.nn.dropout import Dropout, Dropout2d
from fastdl.nn.embedding import Embedding
from fastdl.nn.flatten import Flatten, Identity, Unflatten
from fastdl.nn.linear import Linear
from fastdl.nn.lstm import LSTM, LSTMCell
from fastdl.nn.max_pool2d import MaxPool2d
from fastdl.nn.module import Module
from fastdl.nn.mse_loss import MSELoss
from fastdl.nn.nll_loss import NLLLoss
from fastdl.nn.pad import (
    CircularPad1d,
    CircularPad2d,
    CircularPad3d,
    ConstantPad1d,
    ConstantPad2d,
    ConstantPad3d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReflectionPad3d,
    ReplicationPad1d,
    ReplicationPad2d,
    ReplicationPad3d,
    ZeroPad1d,
    ZeroPad2d,
    ZeroPad3d,
)
from fastdl.nn.parameter import Parameter
from fastdl.nn.softmax import LogSoftmax, Softmax, Softmax2d

__all__ = [
    "LSTM",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AvgPool2d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "Conv2d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Dropout",
    "Dropout2d",
    "Embedding",
    "Flatten",
    "Identity",
    "LSTMCell",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "ParameterDict",
    "ParameterList",
    "ReLU",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Tanh",
    "Unflatten",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
    "functional",
    "init",
    "utils",
]
