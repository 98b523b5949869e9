"""Softmax attention with a state of constant size: time and memory per token don't grow.

Attention of the features ``exp(q)`` and ``exp(k)`` (Heinsen, arXiv 2404.05843, eq. 1):

    y = sum_t sum_i exp(q_i + k_ti) v_t / sum_t sum_i exp(q_i + k_ti)

The sums over tokens t are kept for each feature i below its maximum, as online softmax keeps its
normaliser, with the values carried along; so values of any sign are fine and nothing overflows.

>>> import numpy as np
>>> from fastsoftmax import heinsen
>>> state = heinsen.State((), d_k=2, d_v=1)
>>> zero = np.zeros(2, np.float32)
>>> [float(state.step(zero, zero, np.float32([v]))[0]) for v in (1, 2, 6)]
[1.0, 1.5, 3.0]
"""

from fastsoftmax._public import publish
from fastsoftmax.heinsen._attention import attention
from fastsoftmax.heinsen._state import State

__all__ = ["State", "attention"]

publish(globals())
