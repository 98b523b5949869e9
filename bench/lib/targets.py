"""What the cases should reach: data/targets.json, and whether a figure does."""

import json
from dataclasses import dataclass
from pathlib import Path

from lib.data_sets import Shape

STORED = Path(__file__).parents[1] / "data" / "targets.json"


@dataclass(frozen=True)
class Targets:
    """Upper limits, and the lengths that stand beside others."""

    softmax: dict[Shape, dict[str, float]]
    logsumexp: float
    neighbours: dict[int, int]
    between: float
    denormal: float
    halves: float  #: how many times as fast as torch, at least
    half_shapes: tuple[Shape, ...]
    axes: float
    arrays: tuple[tuple[tuple[int, ...], int], ...]  #: shape and axis
    threads: dict[Shape, float]  #: time of one thread over that of two, at least
    small: float  #: time with two threads allowed over that of one, jobs of any size
    import_ms: float
    call_shape: Shape
    call_ns: dict[str, float]
    int8: float  #: how many times as fast as the fastest int8 peer, at least
    int8_error: dict[str, float]  #: total variation by table and result
    heinsen_ns: dict[str, dict[int, float]]  #: per token and head, by what is timed and width
    heinsen_prefill: float  #: how many times as fast as NumPy in chunks, at least
    heinsen_step: dict[str, float]  #: how many times as fast as others, at least


def load() -> Targets:
    """Read the file."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    rows, columns = stored["call"]["shape"]
    return Targets(
        softmax={(row["shape"][0], row["shape"][1]): row["ratio"] for row in stored["softmax"]},
        logsumexp=stored["logsumexp"]["ratio"],
        neighbours={row["length"]: row["of"] for row in stored["between"]["neighbours"]},
        between=stored["between"]["factor"],
        denormal=stored["denormal"]["factor"],
        halves=stored["halves"]["times"],
        half_shapes=tuple((rows, n) for rows, n in stored["halves"]["shapes"]),
        axes=stored["axes"]["factor"],
        arrays=tuple((tuple(each["shape"]), each["axis"]) for each in stored["axes"]["arrays"]),
        threads={(job["shape"][0], job["shape"][1]): job["times"] for job in stored["threads"]},
        small=stored["small jobs"]["factor"],
        import_ms=stored["import"]["ms"],
        call_shape=(rows, columns),
        call_ns=stored["call"]["ns"],
        int8=stored["int8"]["times"],
        int8_error=stored["int8"]["total variation"],
        heinsen_ns={
            what: {int(width): ns for width, ns in limits.items()}
            for what, limits in stored["heinsen"]["ns"].items()
        },
        heinsen_prefill=stored["heinsen"]["prefill times"],
        heinsen_step=stored["heinsen"]["step times"],
    )


def verdict(figure: float, target: float | None) -> str | None:
    """Say whether a figure keeps its target, None without one."""
    if target is None:
        return None
    return "ok" if figure <= target else "MISS"


def at_least(figure: float, target: float | None) -> str | None:
    """Say the same of a figure that is to be above its target."""
    return verdict(-figure, None if target is None else -target)
