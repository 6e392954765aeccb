"""Which neighbours in a `Sequential` run as one: a layer, and the activation that it can apply itself.

What anyone can see of the two apart stays, but for the names in the graph: where a hook, a subclass, another `forward`
or another function in the place of the library's would be called, nothing is fused.
"""

from __future__ import annotations

from typing import Any

from fastdl._tape import anomaly, mode
from fastdl.functional import activation as functions
from fastdl.nn._activated import Activation
from fastdl.nn.activation import LeakyReLU, ReLU, Sigmoid, Tanh
from fastdl.nn.batch_norm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from fastdl.nn.conv2d import Conv2d
from fastdl.nn.conv_transpose2d import ConvTranspose2d
from fastdl.nn.linear import Linear
from fastdl.nn.module import Module


def _as_defined(layer: Any, function: str) -> tuple[Any, dict[str, Any], str, Any]:
    """The layer's forward, and where it finds which function."""
    namespace = layer._run.__globals__
    return layer.forward, namespace, function, namespace[function]


LAYERS: dict[Any, tuple[Any, dict[str, Any], str, Any]] = {
    BatchNorm1d: _as_defined(BatchNorm1d, "batch_norm"),
    BatchNorm2d: _as_defined(BatchNorm2d, "batch_norm"),
    BatchNorm3d: _as_defined(BatchNorm3d, "batch_norm"),
    Conv2d: _as_defined(Conv2d, "conv2d"),
    ConvTranspose2d: _as_defined(ConvTranspose2d, "conv_transpose2d"),
    Linear: _as_defined(Linear, "linear"),
}
_functions = functions.__dict__
ACTIVATIONS: dict[Any, tuple[Any, dict[str, Any], str, Any]] = {
    ReLU: (ReLU.forward, _functions, "relu", functions.relu),
    LeakyReLU: (LeakyReLU.forward, _functions, "leaky_relu", functions.leaky_relu),
    Sigmoid: (Sigmoid.forward, _functions, "sigmoid", functions.sigmoid),
    Tanh: (Tanh.forward, _functions, "tanh", functions.tanh),
}
_call = Module.__call__


def _is_plain(module: Any, forward: Any, namespace: dict[str, Any], name: str, function: Any) -> bool:
    """Whether calling the module runs the library's own forward and function and nothing else."""
    kind, members = type(module), module.__dict__
    return (
        members["_forward_hooks"] is None
        and kind.forward is forward
        and kind.__call__ is _call
        and namespace[name] is function
        and "forward" not in members
    )


def fusion(layer: Any, activation: Any, following: Any) -> Activation | None:
    """The activation if `layer` may apply it, else None. The types are of LAYERS and ACTIVATIONS; `following` comes
    next."""
    own = ACTIVATIONS[type(activation)]
    if (
        layer._activation is not None
        or anomaly.enabled
        or not _is_plain(layer, *LAYERS[type(layer)])
        or not _is_plain(activation, *own)
    ):
        return None
    name = own[2]
    if name != "leaky_relu":
        return name, 0.0
    slope = activation.negative_slope
    if type(slope) not in (int, float) or not slope >= 0:
        return None
    # Apart, backward looks at the input: others may change the output in place. Fused, it looks at the output.
    if activation.inplace or not mode.grad_enabled:
        return name, slope
    found = LAYERS.get(type(following))
    return (name, slope) if found is not None and _is_plain(following, *found) else None
