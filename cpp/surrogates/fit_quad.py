"""Fit the constants of the quad family: `python fit_quad.py` prints L, B and c of each member.

    u = max(d + L, 0);  h(d) = (c * u^2 + B)^(2^k);  c = (1 - B) / L^2, so that h(0) = 1

Objectives, minimised over (L, B) for d in [-40, 0], on a grid that is fine above -8:
    balanced  max |h(d) - e^d| / max(e^(d/2), e^-7)     quad8, quad16, quad32
    minimax   max |h(d) - e^d|                          quad64
The balanced one lies between absolute and relative error; its floor keeps the far tail, which no
sum of weights sees, from spending the two parameters. For quad64 plain minimax is the better use
of them: its error is so small that the rounding of six squarings is as large.
L and B are rounded to five decimals. c is the float32 nearest to (1 - B) / L^2 that gives
h(0) = 1 in float32, with and without fma.

Needs numpy and scipy; not part of the build.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]

Array = NDArray[np.float64]
Single = np.float32

# The grid is part of the definition: another one moves the fifth digit of L and B.
GRID = np.concatenate([np.linspace(-40.0, -8.01, 400), np.linspace(-8.0, 0.0, 3201)])
WEIGHT_FLOOR = -14.0
# name, k, objective, where to start
MEMBERS = (
    ("quad8", 3, "balanced", (12.0, 0.27)),
    ("quad16", 4, "balanced", (19.0, 0.40)),
    ("quad32", 5, "balanced", (34.0, 0.46)),
    ("quad64", 6, "minimax", (65.0, 0.49)),
)


def quad(d: Array, length: float, base: float, k: int) -> Array:
    """Return h(d) in double; at u = 0 the unmasked B^(2^k), which is the limit from above."""
    u = np.maximum(d + length, 0.0)
    h: Array = ((1.0 - base) * (u / length) ** 2 + base) ** (2**k)
    return h


def fit(k: int, objective: str, start: tuple[float, float]) -> tuple[float, float, float]:
    """Return L, B and the value of the objective."""
    exact = np.exp(GRID)
    weight = np.exp(-0.5 * np.maximum(GRID, WEIGHT_FLOOR)) if objective == "balanced" else 1.0

    def worst(parameters: Array) -> float:
        length, base = parameters
        if not (1.0 < length < 200.0 and 0.0 <= base < 1.0):
            return np.inf
        return float(np.max(np.abs(quad(GRID, length, base, k) - exact) * weight))

    point = np.array(start)
    # A simplex can collapse on the ridge of a minimax problem: start it again where it stopped.
    for _ in range(8):
        found = minimize(
            worst,
            point,
            method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-16, "maxiter": 4000},
        )
        point = found.x
    return float(point[0]), float(point[1]), float(found.fun)


def is_one_at_zero(c: Single, length: Single, base: Single) -> bool:
    """Return whether c * L * L + B is 1 in float32, by multiply and add as by fma.

    `cu * L` is exact in double. Adding B there may round once more than fma does, which can't
    matter here: results within 2^-40 of a tie between two float32 are refused.
    """
    cu = c * length
    exact = float(cu) * float(length) + float(base)
    fused_is_one = -(2.0**-25) + 2.0**-40 < exact - 1.0 < 2.0**-24 - 2.0**-40
    return bool(cu * length + base == 1) and fused_is_one


def scale(length: float, base: float) -> str:
    """Return the decimal for c."""
    wanted = Single((1.0 - base) / length**2)
    step = float(np.spacing(wanted))
    for distance in range(16):
        for sign in (1, -1):
            text = f"{float(wanted) + sign * distance * step:.9g}"
            if is_one_at_zero(Single(float(text)), Single(length), Single(base)):
                return text
    raise ValueError(f"no c near {wanted} gives h(0) = 1")


def main() -> None:
    """Print one line for each member of the family."""
    for name, k, objective, start in MEMBERS:
        length, base, value = fit(k, objective, start)
        length, base = round(length, 5), round(base, 5)
        c = scale(length, base)
        print(f"{name:7} L = {length:.5f}  B = {base:.5f}  c = {c:14} {objective} {value:.3e}")


if __name__ == "__main__":
    main()
