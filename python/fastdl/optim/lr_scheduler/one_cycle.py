"""The one-cycle policy (Smith and Topin 2018, Super-Convergence)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastdl.optim.lr_scheduler.scheduler import LRScheduler
from fastdl.optim.optimizer import Optimizer


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)


def _linear(start: float, end: float, done: float) -> float:
    return start + (end - start) * done


class OneCycleLR(LRScheduler):
    """The rate rises from max_lr / div_factor to `max_lr`, then falls to initial / final_div_factor.

    Counts batches: `total_steps`, or `epochs` · `steps_per_epoch`. With `cycle_momentum` the
    momentum (or beta1) moves the other way, between `max_momentum` and `base_momentum`. `ValueError`
    from `step` beyond the end.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"[OneCycleLR] optimizer: expected an Optimizer, got {type(optimizer).__name__}")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"[OneCycleLR] pct_start: expected a number from 0 to 1, got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"[OneCycleLR] anneal_strategy: expected 'cos' or 'linear', got {anneal_strategy!r}"
            )
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        self._phases = _phases(self.total_steps, pct_start, three_phase)
        groups = optimizer.param_groups
        if last_epoch == -1:
            for group, peak in zip(groups, _per_group("max_lr", max_lr, len(groups)), strict=True):
                initial = peak / div_factor
                group.update(max_lr=peak, initial_lr=initial, min_lr=initial / final_div_factor)
        if cycle_momentum:
            if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
                raise ValueError(
                    f"[OneCycleLR] cycle_momentum: {type(optimizer).__name__} has neither momentum nor betas"
                )
            self.use_beta1 = "betas" in optimizer.defaults
            if last_epoch == -1:
                highest = _per_group("max_momentum", max_momentum, len(groups))
                lowest = _per_group("base_momentum", base_momentum, len(groups))
                for group, high, low in zip(groups, highest, lowest, strict=True):
                    group.update(max_momentum=high, base_momentum=low)
                    self._set_momentum(group, high)
        super().__init__(optimizer, last_epoch)

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum

    def get_lr(self) -> list[float]:
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"[OneCycleLR.step] the cycle has {self.total_steps} steps, got a step after its end"
            )
        # The last phase also takes the step after its end, as in torch.
        last = len(self._phases) - 1
        phase = next((i for i in range(last) if step <= self._phases[i][0]), last)
        start = self._phases[phase - 1][0] if phase else 0.0
        end, lr_from, lr_to, momentum_from, momentum_to = self._phases[phase]
        done = (step - start) / (end - start)
        anneal = _cosine if self.anneal_strategy == "cos" else _linear
        rates = []
        for group in self.optimizer.param_groups:
            rates.append(anneal(group[lr_from], group[lr_to], done))
            if self.cycle_momentum:
                self._set_momentum(group, anneal(group[momentum_from], group[momentum_to], done))
        return rates


def _total_steps(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    given = {"total_steps": total_steps}
    if total_steps is None:
        if epochs is None or steps_per_epoch is None:
            raise ValueError("[OneCycleLR] total_steps: expected it, or both epochs and steps_per_epoch")
        given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"[OneCycleLR] {name}: expected an int > 0, got {value!r}")
    return math.prod(value for value in given.values() if value is not None)


def _phases(total: int, pct_start: float, three_phase: bool) -> list[tuple[float, str, str, str, str]]:
    """(last step, rate from, rate to, momentum from, momentum to) of each phase."""
    rise = pct_start * total - 1.0
    up = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
    if three_phase:
        return [
            (rise, *up),
            (2 * rise, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
            (total - 1.0, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
        ]
    return [(rise, *up), (total - 1.0, "max_lr", "min_lr", "base_momentum", "max_momentum")]


def _per_group(name: str, value: float | Sequence[float], groups: int) -> list[float]:
    if isinstance(value, (list, tuple)):
        if len(value) != groups:
            raise ValueError(
                f"[OneCycleLR] {name}: expected {groups} values, one per group, got {len(value)}"
            )
        return list(value)
    return [value] * groups  # type: ignore[list-item]
