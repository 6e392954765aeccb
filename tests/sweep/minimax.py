"""Derive the polynomial coefficients of csrc/core/simd_math.h: `python tests/sweep/minimax.py` (needs mpmath).

Weighted minimax polynomials by the exchange algorithm of Remez on a grid (Muller et al., Handbook of Floating-Point
Arithmetic, 2nd ed., ch. 10), rounded to the working precision.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 60

Function = Callable[[mp.mpf], mp.mpf]


def remez(target: Function, weight: Function, low: float, high: float, terms: int) -> list[mp.mpf]:
    """Coefficients, lowest first, that minimise max |weight * (polynomial - target)| on [low, high]."""
    count = 80 * terms + 1
    grid = [
        (mp.mpf(low) + high) / 2 - (mp.mpf(high) - low) / 2 * mp.cos(mp.pi * i / count)
        for i in range(count + 1)
    ]
    values = [(x, target(x), abs(weight(x))) for x in grid]
    nodes = [values[(count * (2 * i + 1)) // (2 * terms + 2)] for i in range(terms + 1)]
    for _ in range(60):
        matrix = mp.matrix(terms + 1)
        right = mp.matrix(terms + 1, 1)
        for row, (x, y, w) in enumerate(nodes):
            for power in range(terms):
                matrix[row, power] = x**power
            matrix[row, terms] = (-1) ** row / w
            right[row] = y
        solution = mp.lu_solve(matrix, right)
        coefficients = [solution[i] for i in range(terms)]
        errors = [w * (mp.polyval(coefficients[::-1], x) - y) for x, y, w in values]
        if max(abs(e) for e in errors) <= abs(solution[terms]) * (1 + mp.mpf(10) ** -6):
            return coefficients
        extrema: list[int] = []
        for index, error in enumerate(errors):
            if not extrema or mp.sign(error) != mp.sign(errors[extrema[-1]]):
                extrema.append(index)
            elif abs(error) > abs(errors[extrema[-1]]):
                extrema[-1] = index
        while len(extrema) > terms + 1:
            extrema.pop(0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1)
        nodes = [values[i] for i in extrema]
    raise ArithmeticError("no convergence")


def rounded(x: mp.mpf, bits: int) -> mp.mpf:
    with mp.workprec(bits):
        return +x


def show(
    name: str, target: Function, weight: Function, low: float, high: float, terms: int, bits: int
) -> None:
    """Print the rounded coefficients and the relative error that they leave in the function."""
    coefficients = [rounded(c, bits) for c in remez(target, weight, low, high, terms)]
    points = [mp.mpf(low) + (mp.mpf(high) - low) * (i + mp.mpf("0.37")) / 2000 for i in range(2000)]
    error = max(abs(weight(x) * (mp.polyval(coefficients[::-1], x) - target(x))) for x in points)
    print(f"{name}: " + ", ".join(float(c).hex() for c in coefficients))
    print(f"  relative error 2^{float(mp.log(error, 2)):.1f}")


def main() -> None:
    half_ln2 = float(mp.log(2) / 2) * 1.0001
    s_max = float((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) * 1.0001
    for name, bits, high_bits, exp_terms, log_terms, tanh_terms in (
        ("float", 24, 16, 4, 3, 5),
        ("double", 53, 42, 10, 7, 12),
    ):
        print(f"{name}:")
        high = mp.floor(mp.log(2) * 2**high_bits) / 2**high_bits
        low = rounded(mp.log(2) - high, bits)
        print(
            f"ln2: {float(high).hex()} + {float(low).hex()}; log2e: {float(rounded(1 / mp.log(2), bits)).hex()}"
        )
        show(
            "exp(r) = 1 + r + r^2 / 2 + r^3 q(r), error relative to expm1",
            lambda r: (mp.expm1(r) - r - r**2 / 2) / r**3,
            lambda r: r**3 / mp.expm1(r),
            -half_ln2,
            half_ln2,
            exp_terms,
            bits,
        )
        show(
            "log((1 + s) / (1 - s)) = 2 s + s w q(w), w = s^2",
            lambda w: (2 * mp.atanh(mp.sqrt(w)) / mp.sqrt(w) - 2) / w,
            lambda w: w * mp.sqrt(w) / (2 * mp.atanh(mp.sqrt(w))),
            1e-12,
            s_max**2,
            log_terms,
            bits,
        )
        show(
            "tanh(x) = x + x u q(u), u = x^2",
            lambda u: (mp.tanh(mp.sqrt(u)) / mp.sqrt(u) - 1) / u,
            lambda u: u * mp.sqrt(u) / mp.tanh(mp.sqrt(u)),
            1e-12,
            0.625**2,
            tanh_terms,
            bits,
        )


if __name__ == "__main__":
    main()
