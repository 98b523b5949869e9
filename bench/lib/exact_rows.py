"""A batch of rows and all that is exact about it, in float64: what the errors are measured from."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lib.data_sets import Float32, Workload
from lib.metrics import Float64

#: Width of the values that attention would average; their errors stand for those of the output.
VALUES = 64


@dataclass(frozen=True)
class Rows:
    """Logits of one workload with their softmax, their steps and their attention output.

    Attributes
    ----------
    name
        The workload's.
    logits
        As the kernels get them.
    """

    name: str
    logits: Float32

    @classmethod
    def of(cls, workload: Workload) -> "Rows":
        """Draw the first input of a workload."""
        return cls(workload.name, workload.make(0))

    @cached_property
    def x(self) -> Float64:
        """The logits."""
        return self.logits.astype(np.float64)

    @cached_property
    def d(self) -> Float64:
        """Distance to the row's maximum, at most 0."""
        distance: Float64 = self.x - self.x.max(axis=1, keepdims=True)
        return distance

    @cached_property
    def s(self) -> Float64:
        """Normaliser of each row."""
        total: Float64 = np.exp(self.d).sum(axis=1)
        return total

    @cached_property
    def weights(self) -> Float64:
        """Softmax."""
        probabilities: Float64 = np.exp(self.d) / self.s[:, None]
        return probabilities

    @cached_property
    def values(self) -> Float64:
        """Values N(0, 1) to average, the same for all rows."""
        return np.random.default_rng(0).standard_normal((self.x.shape[1], VALUES))

    @cached_property
    def output(self) -> Float64:
        """Attention output of each row."""
        averaged: Float64 = self.weights @ self.values
        return averaged

    @cached_property
    def maxima(self) -> Float64:
        """Running maximum up to and including each logit."""
        running: Float64 = np.maximum.accumulate(self.x, axis=1)
        return running

    @cached_property
    def sums(self) -> Float64:
        """Exact normaliser after each logit, relative to the running maximum."""
        running: Float64 = np.exp(np.logaddexp.accumulate(self.x, axis=1) - self.maxima)
        return running

    @cached_property
    def steps(self) -> Float64:
        """Each logit but the first, relative to the maximum before it: what the recurrence sees."""
        distance: Float64 = self.x[:, 1:] - self.maxima[:, :-1]
        return distance
