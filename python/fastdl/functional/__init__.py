"""Functions on arrays and Tensors: arrays in, arrays out; with a Tensor among them, Tensors out."""

from fastdl.functional.activation import (
    leaky_relu,
    leaky_relu_,
    leaky_relu_backward,
    relu,
    relu_,
    relu_backward,
    sigmoid,
    sigmoid_backward,
    tanh,
    tanh_backward,
)
from fastdl.functional.adam import adam_step
from fastdl.functional.conv2d import conv2d, conv2d_backward
from fastdl.functional.conv_transpose2d import conv_transpose2d, conv_transpose2d_backward
from fastdl.functional.cross_entropy import cross_entropy, cross_entropy_backward
from fastdl.functional.embedding import embedding, embedding_backward
from fastdl.functional.linear import linear, linear_backward
from fastdl.functional.matmul import matmul, matmul_backward
from fastdl.functional.pad import pad, pad_backward
from fastdl.functional.rmsprop import rmsprop_step
from fastdl.functional.sgd import sgd_step
from fastdl.functional.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

__all__ = [
    "adam_step",
    "conv2d",
    "conv2d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "embedding",
    "embedding_backward",
    "leaky_relu",
    "leaky_relu_",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "log_softmax",
    "log_softmax_backward",
    "matmul",
    "matmul_backward",
    "pad",
    "pad_backward",
    "relu",
    "relu_",
    "relu_backward",
    "rmsprop_step",
    "sgd_step",
    "sigmoid",
    "sigmoid_backward",
    "softmax",
    "softmax_backward",
    "tanh",
    "tanh_backward",
]
