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
from fastdl.functional.adaptive_avg_pool2d import adaptive_avg_pool2d, adaptive_avg_pool2d_backward
from fastdl.functional.adaptive_max_pool2d import (
    adaptive_max_pool2d,
    adaptive_max_pool2d_backward,
    adaptive_max_pool2d_with_indices,
)
from fastdl.functional.avg_pool2d import avg_pool2d, avg_pool2d_backward
from fastdl.functional.batch_norm import batch_norm, batch_norm_backward
from fastdl.functional.binary_cross_entropy import binary_cross_entropy, binary_cross_entropy_backward
from fastdl.functional.binary_cross_entropy_with_logits import (
    binary_cross_entropy_with_logits,
    binary_cross_entropy_with_logits_backward,
)
from fastdl.functional.conv2d import conv2d, conv2d_backward
from fastdl.functional.conv_transpose2d import conv_transpose2d, conv_transpose2d_backward
from fastdl.functional.cross_entropy import cross_entropy, cross_entropy_backward
from fastdl.functional.dropout import dropout, dropout2d, dropout_backward
from fastdl.functional.embedding import embedding, embedding_backward
from fastdl.functional.linear import linear, linear_backward
from fastdl.functional.lstm import lstm, lstm_backward, lstm_cell, lstm_cell_backward
from fastdl.functional.matmul import matmul, matmul_backward
from fastdl.functional.max_pool2d import max_pool2d, max_pool2d_backward, max_pool2d_with_indices
from fastdl.functional.mse_loss import mse_loss, mse_loss_backward
from fastdl.functional.nll_loss import nll_loss, nll_loss_backward
from fastdl.functional.pad import pad, pad_backward
from fastdl.functional.rmsprop import rmsprop_step
from fastdl.functional.sgd import sgd_step
from fastdl.functional.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

__all__ = [
    "adam_step",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool2d_with_indices",
    "avg_pool2d",
    "avg_pool2d_backward",
    "batch_norm",
    "batch_norm_backward",
    "binary_cross_entropy",
    "binary_cross_entropy_backward",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy_with_logits_backward",
    "conv2d",
    "conv2d_backward",
    "conv_transpose2d",
    "conv_transpose2d_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "dropout",
    "dropout2d",
    "dropout_backward",
    "embedding",
    "embedding_backward",
    "leaky_relu",
    "leaky_relu_",
    "leaky_relu_backward",
    "linear",
    "linear_backward",
    "log_softmax",
    "log_softmax_backward",
    "lstm",
    "lstm_backward",
    "lstm_cell",
    "lstm_cell_backward",
    "matmul",
    "matmul_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool2d_with_indices",
    "mse_loss",
    "mse_loss_backward",
    "nll_loss",
    "nll_loss_backward",
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
