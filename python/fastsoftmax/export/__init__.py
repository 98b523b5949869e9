"""Softmax for boards: freestanding C99 headers with constants and kernel, as text.

One header holds one method. The integer ones (`hccs`, `int8`) use neither float nor 64-bit
arithmetic, so they need no library even where the CPU has no such instructions; `surrogate` is
float32 without ``libm``. ``python -m fastsoftmax export`` writes the same text to a file.
"""

from fastsoftmax._public import publish
from fastsoftmax.export._integer import hccs, int8
from fastsoftmax.export._surrogate import surrogate, surrogates

__all__ = ["hccs", "int8", "surrogate", "surrogates"]

publish(globals())
