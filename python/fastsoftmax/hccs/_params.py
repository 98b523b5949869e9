"""The calibrated parameters of attention heads, checked when made and when loaded."""

import json
import operator
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastsoftmax import _core
from fastsoftmax._files.replacing import replacing
from fastsoftmax._inputs.int8 import checked_scales
from fastsoftmax.hccs import _json

WIDE = "wide"  # by name: the mode and the profile that we define; the others are the paper's
PROFILES = (WIDE, "paper")


def paper_modes() -> list[str]:
    """Modes of the paper, whose parameters are tied to the row length."""
    return [mode for mode in _core.variants("hccs") if mode != WIDE]


@dataclass(frozen=True, eq=False)
class Params:
    """Parameters of one head, or of an array of heads: ``s = B - S * min(max - x, Dmax)``.

    Parameters
    ----------
    scale : float or array of float
        Nats for one step of the int8 logits, above 0.
    B, S, Dmax : int or array of int
        Offset, slope and clip distance. All four broadcast to the shape of the heads: (),
        [heads], [layers, heads].
    n : int
        Row length that they were calibrated for; the longest row in profile "wide".
    profile : str
        ``"wide"``: 1 <= B <= 32767, 0 <= S <= 32767, 0 <= Dmax <= 255, B - S*Dmax >= 1,
        n*B < 2^31. ``"paper"``, for the paper's modes: 0 <= B <= 32767, 0 <= S <= 127,
        0 <= Dmax <= 127, B - S*Dmax >= 0, n*(B - S*Dmax) >= 256, n*B <= 32767.
    mode : str, optional
        The mode that they were calibrated for: what `online` runs. By default ``"wide"`` or, in
        profile "paper", its first mode.

    Raises
    ------
    TypeError
        For parameters that aren't numbers, or B, S, Dmax, n that aren't integers.
    ValueError
        For shapes that don't broadcast, and for a condition that fails: it is named, with its head.

    References
    ----------
    arXiv 2604.02292. The authors' own kernel needs only B + (n - 1)*(B - S*Dmax) >= 256 where the
    paper asks for n*(B - S*Dmax) >= 256.

    Examples
    --------
    >>> head = Params(scale=0.1, B=600, S=9, Dmax=63, n=128)
    >>> int(head.floor)
    33
    """

    scale: NDArray[np.float64]
    B: NDArray[np.int32]
    S: NDArray[np.int32]
    Dmax: NDArray[np.int32]
    n: int
    profile: str = WIDE
    mode: str = ""
    heads: NDArray[np.int32] = field(init=False, repr=False)  #: B, S, Dmax in the last dimension
    _checked: set[tuple[str, int]] = field(init=False, repr=False)

    def __init__(
        self,
        scale: ArrayLike,
        B: ArrayLike,
        S: ArrayLike,
        Dmax: ArrayLike,
        n: int,
        profile: str = WIDE,
        mode: str = "",
    ) -> None:
        if profile not in PROFILES:
            raise ValueError(f"profile is {str(profile)[:40]!r}; it may be {' or '.join(PROFILES)}")
        modes = [WIDE] if profile == WIDE else paper_modes()
        mode = mode or modes[0]
        if mode not in modes:
            raise ValueError(
                f"mode is {str(mode)[:40]!r}; profile {profile!r} has: {', '.join(modes)}"
            )
        integers = (_integers(B, "B"), _integers(S, "S"), _integers(Dmax, "Dmax"))
        arrays = _broadcast(checked_scales(scale), *integers)
        # stack follows the order of what it is given; the core wants rows of three, packed
        arrays.append(np.ascontiguousarray(np.stack(arrays[1:], axis=-1)))
        for name, value in zip(("scale", "B", "S", "Dmax", "heads"), arrays, strict=True):
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_checked", set())
        object.__setattr__(self, "n", checked_length(n))
        object.__setattr__(self, "profile", profile)
        object.__setattr__(self, "mode", mode)
        self.check(modes[0], self.n)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the heads."""
        return self.B.shape

    @property
    def floor(self) -> NDArray[np.int32]:
        """Score of everything from Dmax on: B - S*Dmax."""
        return np.asarray(self.B - self.S * self.Dmax)

    def check(self, mode: str, n: int) -> None:
        """See that every head meets the conditions of a mode.

        Parameters
        ----------
        mode : str
            As in `hccs.softmax`.
        n : int
            Elements of a row.

        Raises
        ------
        ValueError
            For a condition that fails: it is named, with its head.
        """
        if (mode, n) in self._checked:
            return
        for head in np.ndindex(self.shape):
            values = (int(self.B[head]), int(self.S[head]), int(self.Dmax[head]))
            problem = _core.hccs_problem(*values, mode, n)
            if problem:
                where = f"head {head}" if head else "the head"
                raise ValueError(f"{where} violates {problem}, which mode {mode!r} needs")
        self._checked.add((mode, n))

    def save(self, path: str | PathLike[str]) -> None:
        """Write a JSON file, which `load` reads.

        At `path` is the old file or all of the new one, whatever happens. A symbolic link is
        followed, and the mode of an old file is kept.

        Parameters
        ----------
        path : str or PathLike
            Nothing is added to a name.

        Raises
        ------
        OSError
            If it can't be written; the old file is as it was.
        ValueError
            For more than 262144 heads, which `load` refuses.
        """
        if self.B.size > _json.MOST_HEADS:
            most = _json.MOST_HEADS
            raise ValueError(f"there are {self.B.size} heads; a file may have {most}")
        text = json.dumps(self._as_dict(), indent=1)
        with replacing(path) as file:
            file.write(f"{text}\n".encode())

    def _as_dict(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).tolist() for name in ("scale", "B", "S", "Dmax")}
        head = {
            "version": _json.VERSION,
            "profile": self.profile,
            "mode": self.mode,
            "n": self.n,
        }
        return head | arrays

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Params":
        """Read what `save` wrote, and check types, sizes and every condition again.

        Parameters
        ----------
        path : str or PathLike
            The file.

        Returns
        -------
        Params

        Raises
        ------
        OSError
            For a file that can't be read.
        ValueError
            For a file of another kind or version, keys that are missing, unknown or there twice,
            values of other types, more than 262144 heads or 2^25 bytes, and for a condition that
            fails: it is named.
        """
        read = _json.read(path)
        try:
            return cls(**read)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from None

    def __eq__(self, other: object) -> bool:
        """Tell whether all that is saved is equal."""
        return isinstance(other, Params) and self._as_dict() == other._as_dict()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as what the constructor takes, and checks."""
        arrays = (self.scale, self.B, self.S, self.Dmax)
        return type(self), (*arrays, self.n, self.profile, self.mode)


def _integers(value: ArrayLike, name: str) -> NDArray[np.int64]:
    array = np.array(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    if array.size and (array.min() < -(1 << 31) or array.max() >= 1 << 31):
        raise ValueError(f"{name} doesn't fit 32 bits")
    return array


def checked_length(n: object) -> int:
    if isinstance(n, (bool, np.bool_)) or not hasattr(n, "__index__"):
        raise TypeError(f"n must be an integer, not {n!r}")
    value = operator.index(n)
    if value < 1:
        raise ValueError(f"n is {value}; a row has at least one element")
    if value >= 1 << 31:
        raise ValueError("n is 2^31 or more; no parameters serve rows that long")
    return value


def _broadcast(scale: NDArray[np.float64], *integers: NDArray[np.int64]) -> list[NDArray[Any]]:
    try:
        arrays = np.broadcast_arrays(scale, *integers)
    except ValueError:
        shapes = ", ".join(str(a.shape) for a in (scale, *integers))
        raise ValueError(f"scale, B, S, Dmax don't broadcast: their shapes are {shapes}") from None
    return [arrays[0].copy(), *(a.astype(np.int32) for a in arrays[1:])]
