"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastdl import functional as F
from fastdl.optim.optimizer import (
    Optimizer,
    ParamGroup,
    arrays_of,
    check_finite,
    check_non_negative,
    refuse_differentiable,
)


class SGD(Optimizer):
    """Gradient descent with momentum, also Nesterov's (Sutskever et al. 2013).

    foreach, fused and capturable choose among PyTorch's implementations: here there is one, which is fused, and they
    change nothing. differentiable is refused, for steps are not recorded.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        refuse_differentiable("SGD", differentiable)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: ParamGroup) -> None:
        check_non_negative("learning rate", group["lr"])
        check_non_negative("momentum value", group["momentum"])
        check_finite("dampening value", group["dampening"])
        check_non_negative("weight_decay value", group["weight_decay"])
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def _update_group(self, group: ParamGroup) -> None:
        params = [param for param in group["params"] if param.grad is not None]
        stepped = params if group["momentum"] else []
        first_steps = [self.state.get(param, {}).get("momentum_buffer") is None for param in stepped]
        states = self._states(stepped, ["momentum_buffer"], {})
        F.sgd_step(
            [param.data for param in params],
            [param.grad.data for param in params],
            arrays_of(states, "momentum_buffer"),
            lr=group["lr"],
            momentum=group["momentum"],
            dampening=group["dampening"],
            weight_decay=group["weight_decay"],
            nesterov=group["nesterov"],
            maximize=group["maximize"],
            first_steps=first_steps,
        )
        self._keep(stepped, states)
