"""An entry of the table of kernels.

It has a module of its own, which is loaded late, as dataclasses take long to be made.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kernel:
    """One compiled kernel and what it promises.

    Attributes
    ----------
    id : str
        ``op/variant/isa``, the name used in tests, bench and prose.
    op, variant, isa, dtype : str
        Operation, variant of exp, instruction set, ``"float32"`` or ``"float64"``.
    lanes : int
        Elements that one instruction takes.
    bound : float
        Claimed error, of what `bound_kind` says.
    bound_kind : str
        ``"absolute, weight"`` is ``|h(d) - exp(d)|`` over every d <= 0.
    form : str
        How the weight is written: ``"exp"``, ``"h(d)"``, ``"h(u)"`` with u = d - domain, or
        ``"g(m, s, x)"`` for a published recurrence.
    domain : float
        Lower end of d = x - max; below it the weight is `tail`.
    value_at_zero, tail : float
        Weight at d = 0 and below the domain.
    monotone : bool
        Whether the weight never decreases, so that the order of the logits is kept.
    operations : int
        Arithmetic operations an element, none fused, without the sum.
    rescale : str
        What rescales s in `scan` on a new maximum: ``"exp"``, ``"h"`` or ``"nothing"``.
    source : str
        Where the variant comes from.
    available : bool
        Whether it runs here.
    device : str
        Where its arrays lie: ``"cpu"``, or another kind of device, which `isas` doesn't list.
    """

    __module__ = "fastsoftmax"  # pickles name it

    id: str
    op: str
    variant: str
    isa: str
    dtype: str
    lanes: int
    bound: float
    bound_kind: str
    form: str
    domain: float
    value_at_zero: float
    tail: float
    monotone: bool
    operations: int
    rescale: str
    source: str
    available: bool
    device: str = "cpu"
