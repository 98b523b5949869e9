"""The same operations in float64 NumPy, plainly: what the compiled kernels are tested against.

`weight` stands for exp, as a function of d = x - max <= 0; the bounds of ``kernels()`` are claims
about what it changes. Edge rules are those of the compiled operations. The integer operations are
in the module `reference.int8`, Heinsen attention in `reference.heinsen`.
"""

from fastsoftmax._public import publish
from fastsoftmax.reference._softmax import Float64 as Float64
from fastsoftmax.reference._softmax import Weight as Weight
from fastsoftmax.reference._softmax import (
    adapted,
    log_softmax,
    logsumexp,
    normalizer,
    online,
    scan,
    topk,
)

__all__ = [
    "adapted",
    "log_softmax",
    "logsumexp",
    "normalizer",
    "online",
    "scan",
    "topk",
]

publish(globals())
