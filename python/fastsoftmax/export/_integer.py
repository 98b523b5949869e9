"""HCCS and the byte table as C headers: integers only."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastsoftmax import _core
from fastsoftmax._inputs.int8 import (
    checked_out_dtype,
    checked_scales,
    checked_table,
    checked_variant,
)
from fastsoftmax.export._text import braced, checked_name, comment, filled
from fastsoftmax.hccs import Params
from fastsoftmax.reference import int8 as reference

_FULL = {np.dtype(np.uint8): 255, np.dtype(np.int16): 32767}
_ENTRIES = (64, 128, 256)
#: From here on the library halves sums, and 32 bits would overflow.
_LONGEST_TABLE_ROW = 65536


def hccs(
    params: Params,
    *,
    mode: str | None = None,
    out_dtype: DTypeLike | None = None,
    name: str = "fs_hccs",
) -> str:
    """HCCS with the parameters of calibrated heads, as a freestanding C99 header.

    ``int NAME_softmax(size_t head, const int8_t *x, const uint8_t *keep, size_t n, OUT *y)`` gives
    the bits of `fastsoftmax.hccs.softmax`; it returns 0, or not 0 with nothing written for a head
    or a length that it doesn't have.

    Parameters
    ----------
    params : Params
        Of any shape; heads are counted through it in C order.
    mode : str, optional
        As in `fastsoftmax.hccs.softmax`; by default that of `params`. The modes ending in "clb"
        divide nowhere, the others once a row.
    out_dtype : dtype, optional
        int16 or uint8, for mode "wide"; the others have their own.
    name : str
        What the names in the header begin with.

    Returns
    -------
    str
        The header. Rows have ``params.n`` elements in the paper's modes; in "wide" as many as fit
        n*B < 2^31.

    Raises
    ------
    TypeError
        For `params` that aren't Params, and an `out_dtype` that the mode doesn't give.
    ValueError
        For an unknown mode, parameters without heads or that violate a condition of the mode (it
        is named), and a `name` that C doesn't take.

    Notes
    -----
    The bits are those of the library's kernels. A row without an unmasked position is 0, and
    n = 0 is refused.

    References
    ----------
    arXiv 2604.02292.

    Examples
    --------
    >>> from fastsoftmax.hccs import Params
    >>> text = hccs(Params(scale=0.1, B=600, S=9, Dmax=63, n=128))
    >>> "static inline int fs_hccs_softmax(" in text
    True
    """
    if not isinstance(params, Params):
        raise TypeError(f"params must be hccs.Params, not {type(params).__name__}")
    mode = checked_variant(params.mode if mode is None else mode, "mode", "hccs")
    params.check(mode, params.n)
    heads = params.heads.reshape(-1, 3)
    wide = mode == "wide"  # by name: the mode without limits on n
    dtype = _dtype_of(mode, wide, out_dtype)
    longest = ((1 << 31) - 1) // max(int(heads[:, 0].max(initial=0)), 1) if wide else params.n
    notes = [
        "s = B - S * min(m - x, Dmax), m the maximum of the row; Z is the sum of s.",
        f"Heads: {len(heads)}, shape {params.shape}; calibrated for n = {params.n}, profile "
        f"{params.profile}.",
    ]
    values = {"name": checked_name(name), "heads": len(heads), "full": f"{_FULL[dtype]}u"}
    rows = ",\n".join("    {{{}, {}, {}}}".format(*head) for head in heads.tolist())
    text = filled("hccs", mode=filled(f"hccs_{mode}", **values).strip(), table=rows, **values)
    title = f"HCCS softmax of int8 logits, mode {mode}"
    return _row(values, dtype, title, notes, text, (1 if wide else params.n, longest))


def _dtype_of(mode: str, wide: bool, asked: DTypeLike | None) -> np.dtype[Any]:
    own = np.dtype(np.uint8 if mode.startswith("i8") else np.int16)
    dtype = own if asked is None else checked_out_dtype(asked)
    if dtype != own and not wide:
        raise TypeError(f"out_dtype is {dtype}; mode {mode!r} gives {own}")
    return dtype


def int8(
    scale: ArrayLike,
    *,
    table: str = "auto",
    out_dtype: DTypeLike | None = None,
    entries: int | str = "auto",
    name: str = "fs_int8",
) -> str:
    """Softmax of int8 logits by a table of exp, as a freestanding C99 header.

    The function is as that of `hccs`, with the bits of `fastsoftmax.int8.softmax`. It divides
    nowhere.

    Parameters
    ----------
    scale : float or array of float
        Nats for one step of the logits, finite and above 0; one for each head.
    table : str
        As in `fastsoftmax.int8.softmax`. ``"u8"`` takes half the memory or less.
    out_dtype : dtype, optional
        uint8 or int16; by default the one that goes with `table`, and uint8 for ``"auto"``.
    entries : int or "auto"
        64, 128 or 256; "auto": the fewest whose last one is 0 for every head, else 256.
    name : str
        What the names in the header begin with.

    Returns
    -------
    str
        The header. Rows have 1 to 65536 elements.

    Raises
    ------
    TypeError
        For a scale that isn't a number, another `out_dtype`.
    ValueError
        For a scale that isn't above 0, no scale, an unknown table, a number of entries that would
        cut weights off, and a `name` that C doesn't take.

    Notes
    -----
    The error is that of `fastsoftmax.int8.softmax`. A row without an unmasked position is 0; n = 0
    is refused.

    Examples
    --------
    >>> "fs_int8_table[1][128]" in int8(0.11)
    True
    >>> "fs_int8_table[1][64]" in int8(0.11, table="u8")
    True
    """
    known = _core.variants("int8")
    dtype = np.dtype(np.uint8) if out_dtype is None else checked_out_dtype(out_dtype)
    asked, table = table, checked_table(table)
    bits = 8 if table == known[0] else 15
    if out_dtype is None and asked == known[-1]:
        dtype = np.dtype(np.int16)
    scales = checked_scales(scale).ravel()
    if not scales.size:
        raise ValueError("scale must be a number above 0 for each head, and there is none")
    tables = np.array([reference.table(float(s), bits) for s in scales])
    size = _checked_entries(entries, tables)
    full, extra = _FULL[dtype], 7 if dtype == np.uint8 else 0
    values = {"name": checked_name(name), "heads": len(tables), "full": f"{full}u"}
    text = filled(
        "int8",
        guard=name.upper(),
        table=",\n".join(braced(row[:size].tolist()) for row in tables),
        entries=size,
        entry="uint8_t" if bits == 8 else "uint16_t",
        bits=bits,
        extra=extra,
        scaled_full=full << extra,
        **values,
    )
    notes = [f"Nats for one step, head by head: {', '.join(f'{s:.9g}' for s in scales)}."]
    title = f"Softmax of int8 logits by a table of exp, {table}"
    return _row(values, dtype, title, notes, text, (1, _LONGEST_TABLE_ROW))


def _checked_entries(entries: int | str, tables: NDArray[np.int64]) -> int:
    """How many entries a table needs: those beyond must be 0, as the last one is."""
    enough = next(n for n in _ENTRIES if n == _ENTRIES[-1] or not tables[:, n - 1].any())
    if isinstance(entries, str) and entries == "auto":
        return enough
    if isinstance(entries, bool) or entries not in _ENTRIES:
        choice = ", ".join(map(str, _ENTRIES))
        raise ValueError(f"entries is {entries!r}; it may be 'auto' or one of {choice}")
    if int(entries) < enough:
        raise ValueError(
            f"entries is {entries}, but this scale has weights above 0 there; it needs {enough}"
        )
    return int(entries)


def _row(
    values: dict[str, Any],
    dtype: np.dtype[Any],
    title: str,
    notes: list[str],
    method: str,
    lengths: tuple[int, int],
) -> str:
    if not values["heads"]:
        raise ValueError("there is no head: the parameters have size 0")
    guard = values["name"].upper()
    return filled(
        "row",
        title=title,
        version=_core.version,
        division="one integer division a row" if " / z" in method else "no division",
        notes=comment(notes),
        guard=guard,
        shortest=lengths[0],
        longest=lengths[1],
        method=method,
        out=f"{dtype}_t",
        **values,
    )
