"""Generated surrogates of exp as C headers: float32, no library."""

from fastsoftmax import _core
from fastsoftmax.export._text import checked_name, filled


def surrogates() -> list[str]:
    """Variants that `surrogate` can export: those generated from expressions.

    Examples
    --------
    >>> from fastsoftmax import variants
    >>> set(surrogates()) < set(variants("online"))
    True
    """
    return list(_core.surrogate_text())


def surrogate(variant: str, *, name: str | None = None) -> str:
    """Softmax by a generated surrogate of exp, as a freestanding C99 header.

    ``float NAME_weight(float d)`` is h(d), with the bits of the plain scalar kernel; ``void
    NAME_softmax(const float *x, const uint8_t *keep, size_t n, float *y)`` divides the weights of
    a row by their sum.

    Parameters
    ----------
    variant : str
        One of `surrogates`.
    name : str, optional
        What the names in the header begin with; by default ``fs_`` and the variant.

    Returns
    -------
    str
        The header.

    Raises
    ------
    TypeError
        If `variant` or `name` isn't text.
    ValueError
        For a variant that isn't made from an expression, and a `name` that C doesn't take.

    Notes
    -----
    |h(d) - e^d| is at most the ``bound`` of the variant's "weight" kernels, which
    `fastsoftmax.kernels` lists. Results are within 4 * 2^-24, relatively, of the exact quotient of
    these weights. Positions masked out, of -inf, or below the domain are 0, and so is a row without
    an unmasked position. A row of -inf only or with NaN or +inf is NaN.

    Examples
    --------
    >>> "fs_sr3_softmax" in surrogate("sr3")
    True
    """
    if not isinstance(variant, str):
        raise TypeError(f"variant must be text, not {type(variant).__name__}")
    texts = _core.surrogate_text()
    if variant not in texts:
        raise ValueError(f"{variant!r} can't be exported; surrogates: {', '.join(texts)}")
    name = checked_name(f"fs_{variant}" if name is None else name)
    argument, edge, text = texts[variant]
    plain = _core.isas(True)[-1]
    kernel = next(k for k in _core.kernels() if k["id"] == f"weight/{variant}/{plain}")
    return filled(
        "surrogate",
        variant=variant,
        isa=plain,
        bound=f"{kernel['bound']:.3g}",
        version=_core.version,
        guard=name.upper(),
        name=name,
        argument=argument,
        text=text,
        domain=f"{kernel['domain']:.8g}",
        shift=f" - {edge}" if argument == "u" else "",
    )
