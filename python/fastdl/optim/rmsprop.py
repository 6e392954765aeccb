"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastdl import functional as F
from fastdl.optim.optimizer import Optimizer, ParamGroup, arrays_of, check_non_negative, refuse_differentiable


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012); `centered` divides by an estimate of the standard deviation
    (Graves 2013).

    foreach, fused and capturable choose among PyTorch's implementations: here there is one, which is fused, and they
    change nothing. differentiable is refused, for steps are not recorded.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        refuse_differentiable("RMSprop", differentiable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: ParamGroup) -> None:
        check_non_negative("learning rate", group["lr"])
        check_non_negative("epsilon value", group["eps"])
        check_non_negative("momentum value", group["momentum"])
        check_non_negative("weight_decay value", group["weight_decay"])
        check_non_negative("alpha value", group["alpha"])

    def _update_group(self, group: ParamGroup) -> None:
        params = [param for param in group["params"] if param.grad is not None]
        names = ["square_avg"]
        names += ["grad_avg"] if group["centered"] else []
        names += ["momentum_buffer"] if group["momentum"] else []
        states = self._states(params, names, {"step": 0})
        F.rmsprop_step(
            [param.data for param in params],
            [param.grad.data for param in params],
            arrays_of(states, "square_avg"),
            arrays_of(states, "grad_avg") if group["centered"] else [],
            arrays_of(states, "momentum_buffer") if group["momentum"] else [],
            lr=group["lr"],
            alpha=group["alpha"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            centered=group["centered"],
            maximize=group["maximize"],
        )
        self._keep(params, states)
