"""Which kernel runs: a choice is obeyed or refused, never quietly replaced."""

import json
import platform
import re
from pathlib import Path

import fastsoftmax as fs
import numpy as np
import pytest
from cpu_kernels import cpu_kernels
from fresh import output, python
from repository import ROOT

CMAKE = ROOT / "cpp" / "CMakeLists.txt"
CPUINFO = Path("/proc/cpuinfo")

# The bits of many rows tell ISAs apart: each adds in another order or fuses other products.
BITS = """
import fastsoftmax as fs, numpy as np, json
x = np.random.default_rng(5).normal(0, 3, (500, 999)).astype(np.float32)
results = {isa: fs.online(x, isa=isa) for isa in fs.isas("online")}
same = [isa for isa in results if np.array_equal(results[isa], fs.online(x))]
print(json.dumps({"same": same, "best": fs.info()["isa by default"]}))
"""


def runnable(op: str) -> list[str]:
    """ISAs that run an operation here, best first."""
    return fs.isas(op)


def test_best_comes_first() -> None:
    """Without a wish, the first ISA of the list that has the operation runs."""
    told = json.loads(output("-c", BITS))
    assert told["same"] == fs.isas("online")[:1]
    assert told["best"] == {op: runnable(op)[0] for op in told["best"]}
    assert set(told["best"]) == {k.op for k in cpu_kernels()}


@pytest.mark.parametrize("isa", fs.isas())
def test_environment_is_obeyed(isa: str) -> None:
    """FASTSOFTMAX_ISA takes effect, and restricts the operations that have that ISA."""
    told = json.loads(output("-c", BITS, FASTSOFTMAX_ISA=isa))
    assert told["same"] == [isa if isa in runnable("online") else runnable("online")[0]]
    for op, chosen in told["best"].items():
        assert chosen == (isa if isa in runnable(op) else runnable(op)[0])


def test_empty_environment_is_no_wish() -> None:
    """As if the variable were unset."""
    assert json.loads(output("-c", BITS, FASTSOFTMAX_ISA=""))["same"] == fs.isas("online")[:1]


@pytest.mark.parametrize("wish", ["nonsense", "AVX2", "avx2 ", "0"])
def test_nonsense_in_the_environment(wish: str) -> None:
    """The import fails with a list of what works."""
    result = python("-c", "import fastsoftmax", FASTSOFTMAX_ISA=wish)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("ValueError: FASTSOFTMAX_ISA")
    assert f"'{wish}'" in last
    assert all(isa in last for isa in fs.isas())


def test_isa_that_this_cpu_lacks() -> None:
    """Compiled isn't enough."""
    lacking = [isa for isa in fs.isas(all=True) if isa not in fs.isas()]
    if not lacking:
        pytest.skip("this CPU runs all that was compiled")
    for isa in lacking:
        with pytest.raises(ValueError, match=fs.isas("online")[0]):
            fs.online(np.zeros(3), isa=isa)
        assert "can't run" in python("-c", "import fastsoftmax", FASTSOFTMAX_ISA=isa).stderr


@pytest.mark.parametrize("operation", [fs.online, fs.normalizer, fs.logsumexp, fs.scan])
@pytest.mark.parametrize("isa", ["nonsense", " ", "AVX2", "avx1024"])
def test_unknown_isa_is_refused(operation: object, isa: str) -> None:
    """With the list of those that run the operation."""
    name = operation.__name__  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="runs on") as refused:
        operation(np.zeros(3), isa=isa)  # type: ignore[operator]
    listed = str(refused.value).split("runs on:")[1]
    assert listed.strip() in (", ".join(order) for order in both_ways(runnable(op_of(name))))


@pytest.mark.parametrize("operation", [fs.online, fs.normalizer, fs.logsumexp, fs.scan])
def test_empty_isa_is_refused(operation: object) -> None:
    """No name is no choice: None is how to leave it to the library."""
    with pytest.raises(ValueError, match=f"isa is empty.*{', '.join(fs.isas())}"):
        operation(np.zeros(3), isa="")  # type: ignore[operator]


def op_of(name: str) -> str:
    """Operation of the table that a public function runs."""
    return "normalizer" if name == "logsumexp" else name


def both_ways(names: list[str]) -> tuple[list[str], list[str]]:
    """Best first or best last."""
    return names, names[::-1]


def test_operation_that_an_isa_lacks() -> None:
    """A serial recurrence isn't quietly run on another ISA than the one asked for."""
    lacking = [isa for isa in fs.isas() if isa not in runnable("scan")]
    if not lacking:
        pytest.skip("every ISA here has it")
    for isa in lacking:
        with pytest.raises(ValueError, match=f"'{isa}' can't run scan.*{runnable('scan')[0]}"):
            fs.scan(np.zeros(3), isa=isa)


def test_isas() -> None:
    """What runs is a part of what was compiled, in the same order, and is what the rows say."""
    assert [isa for isa in fs.isas(all=True) if isa in fs.isas()] == fs.isas()
    assert set(fs.isas(all=True)) == {k.isa for k in cpu_kernels()}
    assert set(fs.isas()) == {k.isa for k in cpu_kernels() if k.available}


def test_detection_agrees_with_the_system() -> None:
    """The kernel of the operating system lists the same features as our CPUID does."""
    if platform.machine() != "x86_64" or not CPUINFO.exists():
        pytest.skip("no list of x86 features here")
    if not CMAKE.exists():
        pytest.skip("not a checkout: the features that an ISA needs are in cpp/CMakeLists.txt")
    flags = re.search(r"^flags\s*:(.*)$", CPUINFO.read_text(), re.MULTILINE)
    assert flags is not None
    present = set(flags[1].split())
    x86 = re.search(r"^else\(\)$.*?^endif\(\)$", CMAKE.read_text(), re.MULTILINE | re.DOTALL)
    assert x86 is not None
    needs_of = r"fs_add_isa\((\w+)(?: SCALAR)?(?:\s+NEEDS ([a-z0-9_ ]+?))?[\s)]*(?:FLAGS|$)"
    lines = re.findall(needs_of, x86[0], re.MULTILINE)
    assert lines
    for name, needs in lines:
        assert (name in fs.isas()) == (set(needs.split()) <= present), name


def test_info_command() -> None:
    """`python -m fastsoftmax info` prints what info() holds; without a command it says how."""
    text = output("-m", "fastsoftmax", "info")
    assert fs.__version__ in text
    for isa in fs.isas(all=True):
        assert isa in text
    forced = fs.isas()[-1]
    chosen = output("-m", "fastsoftmax", "info", FASTSOFTMAX_ISA=forced)
    assert re.search(rf"isa by default.*online: {forced}\b", chosen)
    result = python("-m", "fastsoftmax")
    assert result.returncode == 2
    assert "usage: python -m fastsoftmax" in result.stderr
