"""The state of Heinsen attention: what tokens leave behind."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastsoftmax import _core
from fastsoftmax._inputs.checks import checked_threads
from fastsoftmax._inputs.libraries import on_device
from fastsoftmax.heinsen._layout import by_feature
from fastsoftmax.heinsen._merge import logarithms
from fastsoftmax.heinsen._npz import Stored


class State(Stored):
    """What the tokens so far leave behind: for each key feature a maximum, a sum and mixed values.

    Parameters
    ----------
    batch_shape : tuple of int
        Independent heads and sequences; ``()`` for one.
    d_k, d_v : int
        Widths of keys (and queries) and of values.
    initial : {"empty", "zeros"}
        ``"empty"`` has seen nothing (eq. 3 and 4, and the public implementation). ``"zeros"`` is
        eq. 7 to the letter: a phantom token of key 0 and value 1.
    dtype : float32 or float64
        Of the state and the answers. Half tokens are converted; other dtypes are refused.

    Raises
    ------
    TypeError, ValueError
        For sizes, names or dtypes other than these, and for sizes of which no array
        ``[*batch_shape, d_k, d_v]`` can be. A method that raises leaves the state as it was.
    MemoryError
        For a state that could be, but finds no room.
    AttributeError
        For sizes, `dtype` or `kind` that are assigned to: they belong to the memory of the state.

    Notes
    -----
    The first tokens decide whether a state mixes values (`v`) or values given as logarithms
    (`log_v`), which may lie anywhere and cost two to three times the memory and 12 to 18 times the
    time. From then on it takes that kind only; ValueError for the other.

    Error of an answer, relative to the same mixture of ``abs(v)``: 5e-6 (float32) or 1e-13
    (float64) after 1000 tokens; it grows with their number as sums of floats do. -inf in k skips
    that feature; -inf in log_v is a value of 0. NaN and +inf are not looked for: in k they stay in
    the feature for good, in values in the column, in q they spoil that answer. -inf in q counts
    as a very low number. An empty state answers NaN.

    Two threads must not use one state at once. Merge states of disjoint tokens instead.

    References
    ----------
    Heinsen, "Softmax Attention with Constant Cost per Token", arXiv 2404.05843.

    Examples
    --------
    >>> import numpy as np
    >>> keys, values = np.zeros((3, 2), np.float32), np.float32([[1], [2], [6]])
    >>> state = State((), 2, 1).update(keys, values)
    >>> state.attend(np.zeros(2, np.float32)).tolist()
    [3.0]
    """

    __slots__ = ()

    def update(
        self,
        k: object,
        v: object = None,
        *,
        log_v: object = None,
        threads: int | None = None,
        isa: str | None = None,
    ) -> Self:
        """Add tokens.

        Parameters
        ----------
        k, v : ndarray of float
            Keys and values of one token, ``[*batch, d_k]`` and ``[*batch, d_v]``, or of a chunk of
            n, ``[*batch, n, d_k]`` and ``[*batch, n, d_v]``.
        log_v : ndarray of float, instead of `v`
            Logarithms of values.
        threads : int, optional
            At most so many, over batch and heads. Bits don't depend on it.
        isa : str, optional
            For tests.

        Returns
        -------
        State
            The state itself.

        Raises
        ------
        TypeError
            For anything but arrays of floats that go into the state's dtype, and where both or none
            of `v` and `log_v` are given.
        ValueError
            For shapes that don't fit the state, numbers of tokens that differ, and values of the
            other `kind`. The state stays as it was.
        """
        tokens, count = self._checked({"k": k}, (v, log_v)), checked_threads(threads)
        self._add(tokens, False, count, isa)
        return self

    def attend(
        self,
        q: object,
        *,
        log_output: bool = False,
        threads: int | None = None,
        isa: str | None = None,
    ) -> Any:
        """Answer queries from all tokens so far.

        Parameters
        ----------
        q : ndarray of float
            Queries: one, ``[*batch, d_k]``, or n, ``[*batch, n, d_k]``.
        log_output : bool
            Return the logarithms of the answers.
        threads, isa
            As in `update`.

        Returns
        -------
        ndarray
            ``[*batch, d_v]`` or ``[*batch, n, d_v]``, in the dtype of the state.

        Raises
        ------
        TypeError, ValueError
            As in `update`; ValueError also with `log_output` if an answer is negative.
        """
        tokens = self._checked({"q": q}, (None, None))
        return self._run(tokens, log_output, checked_threads(threads), isa)

    def step(self, q: Any, k: Any, v: Any = None, *, log_v: Any = None) -> Any:
        """Add one token, or a chunk, then answer the query of each: one step of decoding.

        The same as `update` and `attend`, token after token, in one pass over the state.

        Parameters
        ----------
        q, k, v, log_v : ndarray of float
            As in `update` and `attend`, with as many queries as tokens.

        Returns
        -------
        ndarray
            As `attend`; query t sees the tokens 0..t of its chunk and all before it.

        Raises
        ------
        TypeError, ValueError
            As in `update`.
        """
        if self._kind == "v" and log_v is None:
            y = _core.heinsen_step(self._data, q, k, v, self.batch_shape, self.d_k, self.d_v)
            if y is not False:
                return y
        return self._steps(q, k, v, log_v)

    def merge(self, other: "State") -> Self:
        """Add all tokens that another state has seen.

        Tokens in both count twice: of two states with ``initial="zeros"`` the phantom, too.

        Parameters
        ----------
        other : State
            A state of the same sizes and dtype, which stays as it is.

        Returns
        -------
        State
            The state itself.

        Raises
        ------
        TypeError
            If `other` isn't a `State`.
        ValueError
            For other sizes, another dtype or the other `kind`. The state stays as it was.
        """
        self._merge(other)
        return self

    def to_log(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the paper's log states.

        Returns
        -------
        H_S, H_Z : ndarray
            ``[*batch, d_k, d_v]`` and ``[*batch, d_k]``.

        Raises
        ------
        ValueError
            If values mix to a negative sum, which has no real logarithm.
        """
        H_S, H_Z = logarithms(self._settled(), self.d_k, self.d_v, self._kind == "log_v")
        keys = (*self.batch_shape, self.d_k)
        return (
            by_feature(H_S, self.d_k, self.d_v).reshape(*keys, self.d_v),
            np.ascontiguousarray(H_Z[:, : self.d_k]).reshape(keys),
        )

    def on(self, like: Any) -> Any:
        """Return a copy on a CUDA device, with `update`, `attend` and `step` there.

        Parameters
        ----------
        like : array on a CUDA device
            The copy lies on its device, and takes arrays of that device, and `stream`.

        Returns
        -------
        DeviceState

        Raises
        ------
        TypeError
            If `like` isn't an array on a CUDA device.
        RuntimeError
            As `online` for such an array.
        """
        if not on_device(like):
            raise TypeError(f"on takes an array on a CUDA device, not {type(like).__name__}")
        from fastsoftmax._device.heinsen import DeviceState

        shape = (self.batch_shape, self.d_k, self.d_v, self.dtype.name)
        return DeviceState(like, *shape).take(self._settled(), self._kind, self._zeros)

    def __repr__(self) -> str:
        """Shape and dtype."""
        return f"State({self.batch_shape}, d_k={self.d_k}, d_v={self.d_v}, dtype={self.dtype})"
