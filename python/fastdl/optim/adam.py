"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastdl import functional as F
from fastdl.optim.optimizer import (
    Optimizer,
    ParamGroup,
    arrays_of,
    check_below_one,
    check_non_negative,
    refuse_differentiable,
)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015); `weight_decay` is an L2 term of the loss, or with
    `decoupled_weight_decay` that of AdamW. `amsgrad` divides by the greatest second moment so far
    (Reddi et al. 2018).

    foreach, fused and capturable choose among PyTorch's implementations: here there is one, which is fused, and they
    change nothing. differentiable is refused, for steps are not recorded.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        refuse_differentiable(type(self).__name__, differentiable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _check_group(self, group: ParamGroup) -> None:
        check_non_negative("learning rate", group["lr"])
        check_non_negative("epsilon value", group["eps"])
        if len({isinstance(beta, int | float) for beta in group["betas"]}) > 1:
            raise ValueError(f"betas must be either both floats or both Tensors, got {group['betas']}")
        check_below_one("beta parameter at index 0", group["betas"][0])
        check_below_one("beta parameter at index 1", group["betas"][1])
        check_non_negative("weight_decay value", group["weight_decay"])

    def _update_group(self, group: ParamGroup) -> None:
        params = [param for param in group["params"] if param.grad is not None]
        names = ["exp_avg", "exp_avg_sq"]
        names += ["max_exp_avg_sq"] if group["amsgrad"] else []
        states = self._states(params, names, {"step": 0})
        F.adam_step(
            [param.data for param in params],
            [param.grad.data for param in params],
            arrays_of(states, "exp_avg"),
            arrays_of(states, "exp_avg_sq"),
            arrays_of(states, "max_exp_avg_sq") if group["amsgrad"] else [],
            [state["step"] + 1 for state in states],
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
            decoupled_weight_decay=group["decoupled_weight_decay"],
        )
        self._keep(params, states)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019); see `Adam`."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            differentiable=differentiable,
            decoupled_weight_decay=True,
        )
