"""Dropout by the words of Philox4x32-10, in NumPy.

Source: N. Srivastava et al., Dropout, JMLR 15 (2014); J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3,
SC 2011.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox4x32_10(counter: Array, key: tuple[int, int]) -> Array:
    """The four random words of each counter, (4, n) for (4, n), for a key of two words; all below 2**32."""
    x = counter.astype(np.uint64)
    k0, k1 = key
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * x[0], np.uint64(0xCD9E8D57) * x[2]
        x = np.stack(
            [(b >> _HALF) ^ x[1] ^ np.uint64(k0), b & _LOW, (a >> _HALF) ^ x[3] ^ np.uint64(k1), a & _LOW]
        )
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return x


def random_words(size: int, seed: int, offset: int) -> Array:
    """A word for each of `size` elements: element 64 g + 16 w + b has word w of the counter 16 g + b."""
    blocks = np.arange(-(-size // 64) * 16, dtype=np.uint64)
    upper = [np.full_like(blocks, offset % 2**32), np.full_like(blocks, offset >> 32)]
    words = philox4x32_10(np.stack([blocks & _LOW, blocks >> _HALF, *upper]), (seed % 2**32, seed >> 32))
    return words.reshape(4, -1, 16).swapaxes(0, 1).reshape(-1)[:size]


def forward(input: Array, seed: int, offset: int, p: float = 0.5) -> Array:
    """y = x / (1 - p) where u >= p, else 0 x, with u uniform in [0, 1)."""
    kept = random_words(input.size, seed, offset).reshape(input.shape) >= p * 2.0**32
    return input * np.where(kept, 1 / (1 - p) if p < 1 else 0.0, 0.0).astype(input.dtype)


def backward(grad_output: Array, input: Array, seed: int, offset: int, p: float = 0.5) -> dict[str, Array]:
    """The same factors on the gradient."""
    return {"input": forward(grad_output, seed, offset, p)}
