"""Cosine annealing, with and without warm restarts (Loshchilov and Hutter 2017, SGDR, eq. 5)."""

from __future__ import annotations

import math

from fastdl.optim.lr_scheduler.scheduler import LRScheduler
from fastdl.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """From the base rate down to `eta_min` in `T_max` epochs along half a cosine, and up again."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        if T_max <= 0:
            raise ValueError(f"[CosineAnnealingLR] T_max: expected a number > 0, got {T_max}")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        epoch, angle = self.last_epoch, math.pi / self.T_max
        if epoch == 0:
            return self._current()
        if self._step_count == 1:
            return [self._closed_form(base) for base in self.base_lrs]
        if (epoch - 1) % (2 * self.T_max) == self.T_max:
            # The epoch before was at the minimum, where there is nothing to scale.
            rise = (1 - math.cos(angle)) / 2
            return [
                rate + (base - self.eta_min) * rise
                for base, rate in zip(self.base_lrs, self._current(), strict=True)
            ]
        ratio = (1 + math.cos(angle * epoch)) / (1 + math.cos(angle * (epoch - 1)))
        return [self.eta_min + (rate - self.eta_min) * ratio for rate in self._current()]

    def _closed_form(self, base: float) -> float:
        return (
            self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        )


class CosineAnnealingWarmRestarts(LRScheduler):
    """From the base rate to `eta_min` in `T_0` epochs, then again in T_0 · T_mult, and so on.

    `step(epoch)` takes fractional epochs, so that it can be called after each batch.
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"[CosineAnnealingWarmRestarts] {name}: expected an int ≥ 1, got {value!r}")
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_i = T_0
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def _start(self) -> None:
        self._step_count = 0
        self.step(max(self.last_epoch + 1, 0))

    def get_lr(self) -> list[float]:
        fall = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * fall for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Go on by one epoch, or to `epoch`."""
        if epoch is None:
            self.last_epoch += 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            if epoch < 0:
                raise ValueError(
                    f"[CosineAnnealingWarmRestarts.step] epoch: expected a number ≥ 0, got {epoch}"
                )
            self._locate(epoch)
            self.last_epoch = math.floor(epoch)
        self._step_count += 1
        self._set(self.get_lr())

    def _locate(self, epoch: float) -> None:
        self.T_i = self.T_0
        self.T_cur = epoch
        if self.T_mult == 1:
            self.T_cur %= self.T_0
            return
        while self.T_cur >= self.T_i:
            self.T_cur -= self.T_i
            self.T_i *= self.T_mult
