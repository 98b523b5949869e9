"""The table is the one list: its rows are sound, and nothing else lists them."""

import ast
import io
import re
import tokenize

import fastsoftmax as fs
import pytest
from cpu_kernels import cpu_kernels
from repository import ROOT

FLOAT_FORMS = ("exp", "h(d)", "h(u)", "g(m, s, x)")
FORMS = {
    "float32": FLOAT_FORMS,
    "float64": FLOAT_FORMS,
    "int8": ("B - S*d", "A[d >> 4]*B[d & 15]"),
}
NAMED = re.compile(r"#.*\bby name:\s*\w+")


def test_rows() -> None:
    """An id and dtype name one row; every field holds what its description says."""
    rows = fs.kernels()
    assert len({(k.id, k.dtype) for k in rows}) == len(rows)
    for k in rows:
        assert k.id == f"{k.op}/{k.variant}/{k.isa}"
        assert k.dtype in ("float32", "float64", "int8")
        assert k.lanes >= 1
        assert k.bound > 0 or k.bound_kind == "exact bits"
        assert k.bound_kind
        assert k.form in FORMS[k.dtype]
        assert k.rescale in ("exp", "h", "nothing")
        assert k.domain < 0
        assert k.operations > 0
        assert k.source
    with pytest.raises(AttributeError):
        rows[0].bound = 1.0  # type: ignore[misc]
    rows.clear()
    assert fs.kernels()


def test_every_isa_has_the_same_rows() -> None:
    """But for the serial operations, which every machine has on its plain ISA, and int8 units."""
    by_isa: dict[str, set[tuple[str, str, str]]] = {}
    for k in cpu_kernels():
        by_isa.setdefault(k.isa, set()).add((k.op, k.variant, k.dtype))
    plain = fs.isas(all=True)[-1]
    serial = {"scan", "update"}
    assert plain in fs.isas()
    for rows in by_isa.values():
        assert {row for row in by_isa[plain] if row[2] == "int8"} <= rows
        missing = {op for op, _, dtype in by_isa[plain] - rows if dtype != "int8"}
        assert missing <= serial or all(dtype == "int8" for _, _, dtype in rows)
        assert rows <= by_isa[plain]


def names() -> set[str]:
    """Every name of a variant or an ISA but "exact", the default that signatures show."""
    variants = {k.variant for k in fs.kernels()}
    return (variants | {k.isa for k in fs.kernels()} | other_isas()) - {"exact"}


def other_isas() -> set[str]:
    """ISAs that other machines compile."""
    build = ROOT / "cpp" / "CMakeLists.txt"
    text = build.read_text() if build.exists() else ""
    return set(re.findall(r"^ *fs_add_isa\((\w+)", text, re.M))


def docstrings(tree: ast.Module) -> set[int]:
    """First lines of all docstrings."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.body[0].lineno
        for node in ast.walk(tree)
        if isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None
    }


def listed(source: str, wanted: set[str]) -> list[str]:
    """Places where code, not a docstring, has a string that is a name or holds two of them.

    A line may name one if its comment says why: `# by name: ...`.
    """
    allowed = docstrings(ast.parse(source))
    lines = source.splitlines()
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.STRING or token.start[0] in allowed:
            continue
        words = set(re.findall(r"\w+", token.string)) & wanted
        alone = token.string.strip("rbfRBF'\"") in wanted
        if (alone or len(words) > 1) and not NAMED.search(lines[token.start[0] - 1]):
            found.append(f"line {token.start[0]}: {token.string}")
    return found


def test_scan_of_sources_finds_lists() -> None:
    """The scan itself: it finds a list, and passes over docstrings and lines that say why."""
    wanted = {"swift", "slow"}
    assert listed('isas = ["swift", "slow"]', wanted) == ['line 1: "swift"', 'line 1: "slow"']
    assert listed('isas = "swift slow".split()', wanted)
    assert not listed('def f():\n    """Runs "swift" or "slow"."""\n', wanted)
    assert not listed('f("swift")  # by name: the only one that swims', wanted)
    assert not listed('print("a swift answer")', wanted)


@pytest.mark.parametrize("folder", ["python", "tests", "bench"])
def test_nothing_lists_variants_or_isas(folder: str) -> None:
    """Whoever needs them asks the registry, so a new one appears everywhere."""
    files = sorted((ROOT / folder).rglob("*.py"))
    if not files:
        pytest.skip("not a checkout")
    found = {
        str(path.relative_to(ROOT)): places
        for path in files
        if (places := listed(path.read_text(), names()))
    }
    assert not found
