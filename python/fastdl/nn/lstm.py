"""Long short-term memory as layers."""

from __future__ import annotations

from typing import Any

from fastdl.functional.lstm import lstm, lstm_cell
from fastdl.functional.shape import squeeze, unsqueeze
from fastdl.nn._recurrent import Recurrent, RecurrentCell


def _pair(op: str, hx: Any) -> tuple[Any, Any]:
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise ValueError(f"[{op}] hx: expected a pair (h_0, c_0), got {type(hx).__name__}")
    return hx[0], hx[1]


class LSTM(Recurrent):
    """LSTM layers over sequences (T, N, I), (N, T, I) with `batch_first`, or a single one (T, I).

    `layer(input, (h_0, c_0))` gives `output, (h_n, c_n)`; without the pair the states begin at zero. Of a
    single sequence the states are (num_layers * D, H). See `fastdl.functional.lstm` for the rest.
    """

    op = "LSTM"
    gates = 4

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, tuple[Any, Any]]:
        self.check_input(input)
        if hx is not None:
            hx = _pair(self.op, hx)
            for name, state in zip(("h_0", "c_0"), hx, strict=True):
                self.check_state(name, state, input)
        batched = len(input.shape) == 3
        batch_axis = 0 if self.batch_first else 1
        if not batched:
            input = unsqueeze(input, batch_axis)
            hx = None if hx is None else tuple(unsqueeze(state, 1) for state in hx)
        output, h_n, c_n = lstm(
            input,
            hx,
            [weight for weights in self.all_weights for weight in weights],
            self.bias,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
            self.batch_first,
        )
        if not batched:
            output, h_n, c_n = squeeze(output, batch_axis), squeeze(h_n, 1), squeeze(c_n, 1)
        return output, (h_n, c_n)


class LSTMCell(RecurrentCell):
    """One LSTM step: `cell(input, (h, c))` gives the next (h, c), for (N, I) and (N, H), or (I) and (H).

    Without the pair the states begin at zero. See `fastdl.functional.lstm_cell` for the rest.
    """

    op = "LSTMCell"
    gates = 4

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        self.check_axes("input", input)
        if hx is not None:
            hx = _pair(self.op, hx)
            for index, state in enumerate(hx):
                self.check_axes(f"hx[{index}]", state)
        batched = len(input.shape) == 2
        if not batched:
            input = unsqueeze(input, 0)
            hx = None if hx is None else tuple(unsqueeze(state, 0) for state in hx)
        h, c = lstm_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return (h, c) if batched else (squeeze(h, 0), squeeze(c, 0))
