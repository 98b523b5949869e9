"""Statistics of heads in ``.npz`` files: arrays only, nothing that could be executed."""

from os import PathLike
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from fastsoftmax._files.npz import MOST_INFLATED, Member, Npz, opened
from fastsoftmax._files.replacing import replacing

if TYPE_CHECKING:
    from fastsoftmax.hccs._stats import HeadStats

Held = TypeVar("Held", bound="HeadStats")
#: Version of the files that `write` writes.
VERSION = 1
#: The sums, which `HeadStats` holds beside the scale.
ADDED = ("rows", "entropy", "mass", "count", "total")
_HEADERS = 1 << 16  # bytes; more than all headers of a file have
_ROUNDING = 1e-6  # relative; more than sums over rows lose
_MOST_ROWS = 1 << 53  # counts beyond aren't whole in a double


def write(stats: "HeadStats", path: str | PathLike[str]) -> None:
    """Write the scale and the sums."""
    arrays = {name: getattr(stats, f"_{name}") for name in ("scale", *ADDED)}
    if sum(array.nbytes for array in arrays.values()) > MOST_INFLATED - _HEADERS:
        raise ValueError("the statistics have more than 2^31 bytes; save them in parts")
    with replacing(path) as file:
        np.savez_compressed(file, version=np.array(VERSION), **arrays)


def read(kind_of: type[Held], path: str | PathLike[str]) -> Held:
    """Read statistics, or refuse in words what isn't a file of them."""
    with opened(path, "file of HeadStats") as file:
        found = file.headers("version", "scale", *ADDED)
        if found["version"].shape != () or found["version"].dtype.kind not in "iu":
            raise ValueError("its version is no whole number")
        version = int(file.array("version"))
        if version != VERSION:
            raise ValueError(f"its version is {version}; this release reads {VERSION}")
        return _filled(kind_of, file, found)


def _filled(kind_of: type[Held], file: Npz, found: dict[str, Member]) -> Held:
    if found["scale"].dtype != np.float64:
        raise ValueError(f"scale should be float64, not {found['scale'].dtype}")
    for name, (shape, dtype) in kind_of._sums(found["scale"].shape).items():
        if found[name].shape != shape or found[name].dtype != dtype:
            raise ValueError(f"{name} should be {dtype} of shape {shape}")
    stats = kind_of(file.array("scale"))
    for name in ADDED:
        setattr(stats, f"_{name}", file.array(name))
    stats._begun = True
    _check(stats)
    return stats


@np.errstate(all="ignore")
def _check(stats: "HeadStats") -> None:
    """Refuse sums that no rows give."""
    rows = stats._rows.astype(np.float64)
    each, mass = rows[..., np.newaxis], stats._mass.sum(axis=-1)
    right = {
        "rows": (rows >= 0) & (rows <= _MOST_ROWS),
        "entropy": np.isfinite(stats._entropy) & (stats._entropy >= -_ROUNDING * (1 + rows)),
        "mass": (stats._mass >= 0) & (abs(mass - rows) <= _ROUNDING * rows)[..., np.newaxis],
        "count": (stats._count >= 0) & (stats._count.sum(axis=-1) == each)[..., np.newaxis],
        "total": (stats._total >= 0) & (stats._total <= stats._count * (1 + _ROUNDING)),
    }
    for name, holds in right.items():
        if not holds.all():
            raise ValueError(f"{name} has numbers that no rows give")
