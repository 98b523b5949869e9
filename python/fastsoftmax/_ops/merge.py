"""The monoid of online softmax: a state is a maximum m, and sums of exp(x - m) times values.

The values are 1 for s, and for what is carried along those of the tokens. Two states merge below
the larger maximum. The factor of a sum is the caller's, as is the library of the arrays: `MaxSum`
takes exp to the last bits, Heinsen attention that of the state's dtype.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

#: (m, one sum or several of them); each sum broadcasts against the factor.
State = tuple[Any, ...]
#: exp(own - m) by what a sum below the maximum `own` becomes one below m, which is no lower.
Factor = Callable[[Any, Any], Any]


def merged(a: State, b: State, factor: Factor) -> State:
    """Merge two states of NumPy arrays: (M, s1 * factor(m1, M) + s2 * factor(m2, M), ...)."""
    m = np.asarray(np.maximum(a[0], b[0]))
    (_, *sums), (_, *others) = rescaled(a, m, factor), rescaled(b, m, factor)
    # in place, as both are new: a state may be large
    return m, *map(operator.iadd, sums, others)


def rescaled(state: State, m: Any, factor: Factor) -> State:
    """Return a state below the maximum m, which is no lower than its own."""
    own, *sums = state
    by = factor(own, m)
    return m, *(s * by for s in sums)


def exp_factor(own: Any, m: Any) -> Any:
    """exp(own - m) in the dtype of finite maxima."""
    return np.exp(own - m)
