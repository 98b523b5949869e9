"""Minimax polynomials of e^r on [-ln2/2, ln2/2], relative error: the coefficients of exp.hpp.

Run ``python cpp/common/weights/minimax_exp.py`` (needs mpmath). For each degree it prints the
largest relative error and the coefficients from the constant term up. The Remez exchange solves for
the polynomial whose relative error takes the same value, with alternating sign, at degree + 2
points.
"""

from mpmath import chop, exp, linspace, log, lu_solve, matrix, mp, mpf, polyval

mp.dps = 40
FIXED = {2: 0, 3: 0, 4: 0, 6: 2, 11: 2}  # degree: leading coefficients that stay 1
HALF = log(2) / 2
GRID = linspace(-HALF, HALF, 4001)


def solve(points: list[mpf], degree: int, fixed: int) -> list[mpf]:
    """Coefficients, constant first, of the polynomial that levels the error at `points`."""
    rows = [
        [x**k / exp(x) for k in range(fixed, degree + 1)] + [(-1) ** i]
        for i, x in enumerate(points)
    ]
    wanted = [1 - sum(x**k for k in range(fixed)) / exp(x) for x in points]
    return [mpf(1)] * fixed + list(lu_solve(matrix(rows), matrix(wanted)))[:-1]


def extrema(coefficients: list[mpf]) -> tuple[list[mpf], mpf]:
    """Where the relative error is largest between its sign changes, and how large it gets."""
    error = [polyval(coefficients[::-1], x) / exp(x) - 1 for x in GRID]
    points: list[mpf] = []
    start = 0
    for i in range(1, len(GRID) + 1):
        if i == len(GRID) or error[i] * error[start] < 0:
            points.append(GRID[max(range(start, i), key=lambda j: abs(error[j]))])
            start = i
    return points, max(abs(e) for e in error)


def remez(degree: int, fixed: int) -> tuple[list[mpf], mpf]:
    """Return the minimax polynomial of the given degree and its largest relative error."""
    count = degree + 2 - fixed
    points = [-HALF * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    for _ in range(12):
        coefficients = solve(points, degree, fixed)
        candidates, worst = extrema(coefficients)
        if len(candidates) != count:
            break
        points = candidates
    return coefficients, worst


if __name__ == "__main__":
    for degree, fixed in FIXED.items():
        coefficients, worst = remez(degree, fixed)
        print(f"degree {degree}: relative error {mp.nstr(worst, 3)}")
        print("  " + ", ".join(mp.nstr(chop(c), 17) for c in coefficients))
