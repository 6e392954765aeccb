"""The base of the schedulers, and the two that take functions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastdl.optim.optimizer import Optimizer


class LRScheduler:
    """Sets the learning rate of every parameter group as a function of the number of `step` calls.

    A subclass computes the next rates in `get_lr`. Most do so from the current ones (the chained
    form), so that several schedulers can act on one optimiser and a rate changed by hand stays changed;
    where the rate at an epoch is known outright, `_closed_form(base_lr)` gives it. Create the scheduler
    after the optimiser and call `step` after the optimiser's, once per epoch (or per batch, if the
    schedule counts batches).
    """

    optimizer: Optimizer
    _closed_form: Callable[[float], float] | None = None

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"[{type(self).__name__}] optimizer: expected an Optimizer, got {type(optimizer).__name__}"
            )
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"[{type(self).__name__}] last_epoch: to resume at {last_epoch}, param_groups[{number}] "
                    "needs an 'initial_lr'"
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._start()

    def _start(self) -> None:
        """The step to epoch `last_epoch + 1` that creating a scheduler takes."""
        self._step_count = 0
        self.step()

    def get_lr(self) -> list[float]:
        """The rates of the groups at `last_epoch`, computed from those before."""
        raise TypeError(f"{type(self).__name__} defines no get_lr()")

    def get_last_lr(self) -> list[float]:
        """The rates that the last `step` set."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Go to the next epoch, or to `epoch`."""
        if self._step_count == 1:
            _warn_if_first(self.optimizer)
        self._step_count += 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if epoch is not None and self._closed_form is not None:
            self._set([self._closed_form(base) for base in self.base_lrs])
        else:
            self._set(self.get_lr())

    def _set(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = list(rates)

    def _current(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def _scaled(self, factor: float) -> list[float]:
        return [rate * factor for rate in self._current()]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave. The optimiser's own state holds the current rates."""
        self.__dict__.update(state_dict)


def _warn_if_first(optimizer: Optimizer) -> None:
    # An optimiser with a step() of its own does not tell whether it was called.
    if type(optimizer).step is Optimizer.step and not optimizer._was_stepped:
        warnings.warn(
            "lr_scheduler.step() was called before optimizer.step(): the first learning rate of the schedule "
            "is skipped",
            UserWarning,
            stacklevel=3,
        )


class _FunctionLR(LRScheduler):
    """One function of the epoch per parameter group."""

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise ValueError(
                f"[{type(self).__name__}] lr_lambda: expected {groups} functions, one per parameter group, "
                f"got {len(self.lr_lambdas)}"
            )
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser and plain functions; of callable objects, their attributes."""
        state = super().state_dict()
        state["lr_lambdas"] = [
            None if not hasattr(f, "__dict__") or hasattr(f, "__code__") else dict(f.__dict__)
            for f in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        state = dict(state_dict)
        for function, attributes in zip(self.lr_lambdas, state.pop("lr_lambdas"), strict=True):
            if attributes is not None:
                function.__dict__.update(attributes)
        super().load_state_dict(state)


class LambdaLR(_FunctionLR):
    """base_lr · lr_lambda(epoch)."""

    def get_lr(self) -> list[float]:
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_FunctionLR):
    """lr · lr_lambda(epoch), from epoch 1 on."""

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return self._current()
        return [lr * f(self.last_epoch) for lr, f in zip(self._current(), self.lr_lambdas, strict=True)]
