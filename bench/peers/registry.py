"""Other people's softmax, by the names that tables show. A peer is never a dependency.

To add one: a function that ties it to its arrays (see prepared_call.py), and its line in `PEERS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import fastsoftmax as fs
import numpy as np
from lib.data_sets import Float32
from lib.metrics import Float64

from peers import arrays, models
from peers.prepared_call import BindLogsumexp, BindSoftmax

#: A result further off than this, relative, on ordinary rows is not a softmax.
CREDIBLE = 1e-5


@dataclass(frozen=True)
class Peer:
    """One library, and what it is asked for."""

    name: str
    softmax: BindSoftmax
    logsumexp: BindLogsumexp | None = None
    slow: bool = False  #: to prepare: left out of a quick run


PEERS = (
    Peer("std::exp loop", arrays.std_exp),
    Peer("numpy", arrays.numpy_softmax),
    Peer("scipy", arrays.scipy_softmax, arrays.scipy_logsumexp),
    Peer("torch", arrays.torch_softmax, arrays.torch_logsumexp),
    Peer(
        "torch.compile",
        arrays.torch_compiled_softmax,
        arrays.torch_compiled_logsumexp,
        slow=True,
    ),
    Peer("jax", arrays.jax_softmax, arrays.jax_logsumexp),
    Peer("XNNPACK", models.litert),
    Peer("ONNX Runtime", models.onnxruntime),
    Peer("OpenVINO", models.openvino),
)
#: The ones that everybody has; the case `rows` shows every variant beside these alone.
USUAL = ("std::exp loop", "numpy", "scipy")


#: Why each library that was looked for in vain is absent, those for int8 rows included.
MISSED: dict[str, str] = {}
#: The reason of those that take too long to prepare.
LEFT_OUT = "left out of a quick run"


@dataclass(frozen=True)
class Survey:
    """The peers that run here, and why each other one doesn't."""

    present: tuple[Peer, ...]
    absent: dict[str, str]

    def note(self) -> str:
        """Name the absent ones for the note of a table, nothing if all are here."""
        return f"; absent: {', '.join(self.absent)}" if self.absent else ""


@cache
def survey(threads: int = 1, names: tuple[str, ...] | None = None, quick: bool = False) -> Survey:
    """Try the peers, or those named, on a few rows; one that fails in any way is absent."""
    present, absent = [], {}
    for peer in PEERS:
        if names is not None and peer.name not in names:
            continue
        left_out = quick and peer.slow
        reason = LEFT_OUT if left_out else _trouble(peer, threads)
        if reason:
            absent[peer.name] = reason
        else:
            present.append(peer)
    MISSED.update(absent)
    return Survey(tuple(present), absent)


def _trouble(peer: Peer, threads: int) -> str:
    """Say why a peer can't be measured here; nothing if it can."""
    x = np.random.default_rng(0).standard_normal((3, 20)).astype(np.float32)
    try:
        worst = _error(
            peer.softmax(x, np.empty_like(x), threads).run_once(), fs.reference.online(x)
        )
        if peer.logsumexp:
            found = peer.logsumexp(x, threads).run_once()
            worst = max(worst, _error(found, fs.reference.logsumexp(x)))
    except Exception as trouble:  # whatever a foreign library or its loader may raise
        return f"{type(trouble).__name__}: {trouble}"
    return "" if worst <= CREDIBLE else f"off by {worst:.1e}"


def _error(found: Float32, exact: Float64) -> float:
    return float(np.max(np.abs(found / exact - 1)))


def over(
    inputs: Sequence[Float32], out: Float32, names: tuple[str, ...]
) -> dict[str, Callable[[Float32], Float32]]:
    """Tie the named peers to each of several inputs; call with one of these very arrays."""

    def chooser(peer: Peer) -> Callable[[Float32], Float32]:
        tied = {id(x): peer.softmax(x, out, 1) for x in inputs}
        return lambda x: tied[id(x)].run_once()

    return {peer.name: chooser(peer) for peer in survey(names=names).present}
