"""`--against` compares two builds; what is slower by its rule, and what a build lacks."""

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import fastsoftmax as fs
import pytest
from benched import Load, run

CALL = "online/exact/scalar float32 1x16"
OTHER = "log_softmax/exact/scalar float32 1x16"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Give a folder of packages with a copy of this build in it."""
    folder = tmp_path / "site"
    ignored = shutil.ignore_patterns("__pycache__", "*.hpp", "*.cpp")
    shutil.copytree(Path(str(fs.__file__)).parent, folder / "fastsoftmax", ignore=ignored)
    # of an editable install it lies elsewhere
    core = str(importlib.import_module("fastsoftmax._core").__file__)
    shutil.copy(core, folder / "fastsoftmax")
    return folder


@pytest.fixture
def two_builds(bench: Load, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import it for one short round."""
    module = bench("lib.two_builds")
    for name in ("LEAST", "MOST"):
        monkeypatch.setattr(module, name, 1e-4)
    monkeypatch.setattr(module, "ROUNDS", 1)
    return module


def test_a_build_beside_itself(site: Path, tmp_path: Path) -> None:
    """Five rounds of one call; both builds are named, and the table is written as others are."""
    file = tmp_path / "against.md"
    arguments = ("--against", str(site), "--only", CALL, "--markdown", str(file))
    done = run(*arguments, hasty=True)
    lines = done.stdout.splitlines()
    assert done.returncode == (1 if "slower: " in done.stdout else 0), done.stderr
    assert lines[2].startswith("old: ")
    assert lines[2].endswith(str(site / "fastsoftmax"))
    assert lines[3].startswith("new: ")
    assert not lines[3].endswith(str(site / "fastsoftmax"))
    row = next(line for line in lines if line.startswith("online/exact/scalar"))
    assert "float32 1x16" in row
    assert any(line.startswith("calls: 1, kernels: 1, seconds: ") for line in lines)
    assert "| online/exact/scalar | 1 |" in file.read_text(encoding="utf-8")


def test_what_an_older_build_lacks_is_said(site: Path, two_builds: ModuleType) -> None:
    """A function that isn't there, and a keyword; the other calls are compared."""
    with (site / "fastsoftmax" / "__init__.py").open("a") as text:
        text.write("\ndel log_softmax\n")
        text.write("_topk = topk\ndef topk(x, k, *, isa=None): return _topk(x, k, isa=isa)\n")
    wanted = (CALL, OTHER, "topk/exact/scalar float32 5 of 64x512")
    found = two_builds.compare(site, lambda call: call in wanted, 1e-3, lambda _: None)
    assert found.table.column("kernel") == ["online/exact/scalar"]
    assert found.calls == 1
    (lacking,) = found.remarks[2:]
    assert lacking.startswith("not in the old build: log_softmax/exact/scalar, topk/exact/scalar (")
    with pytest.raises(two_builds.Failed, match="none of these calls in common; not in the old"):
        two_builds.compare(site, lambda call: call == OTHER, 1e-3, lambda _: None)


def test_every_public_operation_is_called(bench: Load) -> None:
    """Each row of the table, but those for study; every call can be made and run."""
    calls = bench("lib.build_calls")
    every = calls.every()
    kernels = {k.id for k in fs.kernels() if k.device == "cpu" and k.available}
    named = {name.partition(" ")[0] for name in every}
    assert {k for k in kernels if not k.startswith(("update/", "weight/"))} == named
    isa = fs.isas("online")[-1]
    for name, make in every.items():
        if f"/{isa} " in name and ("/exact/" in name or "int8" in name):
            call = make()
            if call is not None:
                assert call() is not None, name


def times(**found: float) -> dict[str, Any]:
    """Make the answer of a process."""
    names = {"a": "online/a/isa one", "b": "online/a/isa two", "c": "online/c/isa one"}
    return {"times": {names[key]: value for key, value in found.items()}, "absent": {}}


def answering(turns: list[dict[str, Any]], asked: list[Any]) -> Callable[..., dict[str, Any]]:
    """Stand in for the processes of both builds."""
    rest = iter(turns)

    def run_one(site: Path | None, names: list[str] | None, seconds: float = 0) -> dict[str, Any]:
        if names is None:
            return {"build": "fake", "calls": list(turns[0]["times"])}
        asked.append(names)
        return next(rest)

    return run_one


def test_slower_is_measured_again_and_then_counts(
    two_builds: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above 1.03 and above old beside old; not what was so by chance, in the first session."""
    old = times(a=100.0, b=100.0, c=100.0)
    first = [old, times(a=110.0, b=100.0, c=120.0), times(a=100.0, b=100.0, c=125.0)]
    again = [times(a=100.0, b=100.0), times(a=104.0, b=100.0), times(a=100.0, b=100.0)]
    asked: list[Any] = []
    monkeypatch.setattr(two_builds, "run_one", answering(first + again, asked))
    found = two_builds.compare(Path("old"), lambda call: True, 1.0, lambda _: None)
    # the kernel: sqrt(1.1) > 1.03; c is 1.2, but old beside old is 1.25
    assert asked[3:] == [["online/a/isa one", "online/a/isa two"]] * 3
    assert set(found.slower) == {"online/a/isa one"}
    assert found.slower["online/a/isa one"].new == pytest.approx(1.04)
    (a, c) = found.table.rows
    assert a[:2] == ["online/a/isa", 2]
    assert a[2] == pytest.approx(1.04**0.5)
    assert a[4] == "one"
    assert c[2] == pytest.approx(1.2)
    assert c[3] == pytest.approx(1.25)


def test_a_median_stands_for_the_rounds(two_builds: ModuleType) -> None:
    """One disturbed round of three changes nothing."""
    rounds = [
        two_builds.Round({"x": 10.0}, {"x": new}, {"x": again})
        for new, again in ((10.2, 10.0), (99.0, 10.1), (10.1, 50.0))
    ]
    found = two_builds.ratio(rounds, ["x"])
    assert found.new == pytest.approx(1.02)
    assert found.old == pytest.approx(1.01)
    assert not found.slower
    assert two_builds.Ratio(1.04, 1.0).slower
    assert not two_builds.Ratio(1.04, 1.05).slower
    assert not two_builds.Ratio(1.03, 1.0).slower


def test_the_exit_status_tells_whether_anything_is_slower(
    bench: Load, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], site: Path
) -> None:
    """1 with the names of the slower ones, else 0."""
    against, two_builds = bench("against"), bench("lib.two_builds")
    parser = bench("arguments").parser()
    asked = parser.parse_args(["--against", str(site)])
    table = two_builds.Table("ours", two_builds.COLUMNS)
    for slower, status in (({"a/b/c": two_builds.Ratio(1.25, 1.0)}, 1), ({}, 0)):
        found = two_builds.Comparison(table, 0, slower, [])
        monkeypatch.setattr(two_builds, "compare", lambda *_, found=found: found)
        assert against.main(asked, "command") == status
    said = capsys.readouterr().out
    assert "slower: a/b/c: 1.250 of the old time (old/old 1.000)" in said
    assert said.endswith("nothing is slower\n")


def test_choices_of_calls(bench: Load) -> None:
    """By variant, by ISA, and by patterns of a kernel's name or a call's."""
    wanted = bench("against")._wanted
    parser = bench("arguments").parser()
    for words, both in (
        ("", [True, True]),
        ("--variant exact", [True, True]),
        ("--isa avx2", [False, False]),
        ("--only online/*", [True, False]),
        ("--only */scalar", [True, True]),
        ("--only *1x16 --only nothing", [True, True]),
        ("--only online/*/avx2", [False, False]),
    ):
        asked = parser.parse_args(["--against", "x", *words.split()])
        assert [wanted(asked, call) for call in (CALL, OTHER)] == both, words


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no/such/folder"], "there is no fastsoftmax in no/such/folder"),
        (["no/such/folder", "--case", "rows"], "choose with --only"),
        (["no/such/folder", "--isa", "abacus"], "unknown ISA 'abacus'"),
    ],
)
def test_requests_that_cannot_be_met(arguments: list[str], said: str) -> None:
    """Status 2, and a line."""
    done = run("--against", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_build_that_cannot_be_imported(site: Path) -> None:
    """Status 2, with its own reason."""
    (site / "fastsoftmax" / "__init__.py").write_text("raise ImportError('of another CPU')\n")
    done = run("--against", str(site))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"bench/run.py --against: {site}: ImportError: of another CPU"
    )
