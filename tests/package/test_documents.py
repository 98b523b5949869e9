"""What the documents show runs, and what they point to is there."""

import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from fresh import output
from repository import ROOT

README = ROOT / "README.md"
DOCUMENTS = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "bench" / "results" / "README.md",
]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
#: Paths that the text names: with a folder, or in backticks, and of a kind that we have.
NAMED = re.compile(
    r"(?<![\w/.<>*-])((?:[\w.-]+/)+[\w.-]+\.(?:cpp|cu|cuh|hpp|json|md|npz|png|py|sh|toml))\b"
    r"|`([\w-]+\.(?:cpp|cu|cuh|hpp|md|png|py|sh|toml))`"
)
#: The same in comments of C++, where parts of the path may be left out.
COMMENT = re.compile(r"//(.*)")
MENTIONED = re.compile(
    r"(?<![\w/.*{>-])((?:[\w-]+/)*[\w-]+\.(?:cpp|cu|cuh|def|hpp|md|py|sh|toml))\b"
)
#: What the build makes of surrogates.toml.
GENERATED = {"surrogates.hpp", "surrogates.def", "surrogates_c.def", "isas.def"}
#: What users have or make, and no file of ours.
THEIRS = {"fastsoftmax/fastsoftmax.hpp", "fastsoftmax/heinsen.hpp"}
#: Python that is shown without a fence: an indented block that begins by an import.
INDENTED = re.compile(r"^    (?:import|from) \w.*\n(?:(?:    .*)?\n)*", re.MULTILINE)
FENCED = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What a block takes as given, and the libraries that it needs.
GIVEN = {
    "README.md": ("", ()),
    "docs/heinsen.md": ("import torch\nq, k, log_v = torch.randn(3, 2, 40, 8)\n", ("torch",)),
}
#: Documents whose blocks can't run in a test, and why.
LEFT_OUT = {"docs/gpu.md": "its arrays lie on a CUDA device"}
#: What the README's lines must have made, appended to them.
SENSIBLE = """
p_of_8 = p8 / 32767
assert len(np.unique(x8)) > 50, "the quantised logits are nearly constant"
for rows, roundings in ((p, 1e-6), (q, 1e-6), (x, 1e-6), (p_of_8, 128 * 1.5 / 32767)):
    assert np.isfinite(rows).all()
    assert abs(rows.sum(-1) - 1).max() < roundings
assert (x == p).all(), "in place gives something else"
assert abs(p_of_8 - p).max() < 2e-3, "int8 is far from float32"
assert (p.max(-1) > 0.02).all(), "rows are nearly constant"
assert np.allclose(largest[:, 0], p.max(-1), rtol=1e-6)
assert (where[:, 0] == p.argmax(-1)).all()
assert m.shape == s.shape == (128,)
"""

pytestmark = pytest.mark.skipif(not README.exists(), reason="not a checkout: no README.md")


def tracked() -> set[str]:
    """Every file that git tracks; without git, every one that is there and that no build made.

    Builds may run meanwhile, whose folders come and go.
    """
    try:
        told = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        tops = [path for path in ROOT.iterdir() if path.name != "build"]
        found = [path for top in tops for path in (top, *top.rglob("*")) if path.is_file()]
        return {str(path.relative_to(ROOT)) for path in found}
    return set(filter(None, told.stdout.split("\0")))


def blocks(document: Path) -> Iterator[str]:
    """Give the Python that a document shows."""
    text = document.read_text(encoding="utf-8")
    yield from FENCED.findall(text)
    for found in INDENTED.findall(text):
        yield "".join(line.removeprefix("    ") for line in found.splitlines(keepends=True))


def name_of(document: Path) -> str:
    """Give its path in the repository."""
    return str(document.relative_to(ROOT))


SHOWN = [document for document in DOCUMENTS if any(blocks(document))] if README.exists() else []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    """To a file or folder that git tracks."""
    files = tracked()
    known = files | {str(parent) for file in files for parent in Path(file).parents}
    links = [link.partition("#")[0] for link in LINK.findall(document.read_text("utf-8"))]
    inner = [link for link in links if link and not re.match(r"\w+:", link)]
    targets = {(document.parent / link).resolve().relative_to(ROOT.resolve()) for link in inner}
    assert {str(target) for target in targets} <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_named_files_exist(document: Path) -> None:
    """Headers may be named from any folder on, as in an include."""
    ends = {f"/{file}" for file in tracked()}
    text = LINK.sub("", document.read_text("utf-8"))  # links have their own test
    named = {a or b for a, b in NAMED.findall(text)} - THEIRS
    absent = {path for path in named if not any(end.endswith(f"/{path}") for end in ends)}
    assert not absent


@pytest.mark.parametrize("document", SHOWN, ids=name_of)
def test_shown_python_runs(document: Path) -> None:
    """In a fresh interpreter, to the letter; a new document with code needs its line above."""
    name = name_of(document)
    if name in LEFT_OUT:
        pytest.skip(LEFT_OUT[name])
    given, needs = GIVEN[name]
    missing = [library for library in needs if find_spec(library) is None]
    if missing:
        pytest.skip(f"{name} needs {', '.join(missing)}")
    for block in blocks(document):
        output("-W", "error", "-c", given + block)


def test_the_readme_gives_sensible_numbers() -> None:
    """Its lines, run one after the other as they stand."""
    (block,) = blocks(README)
    output("-W", "error", "-c", block + SENSIBLE)


def test_comments_name_files_that_are_there() -> None:
    """A comment that sends its reader to another file names one, by the end of its path."""
    known = tracked()
    ends = {"/".join(path.split("/")[i:]) for path in known for i in range(path.count("/") + 1)}
    sources = [path for path in known if path.endswith((".hpp", ".cpp", ".cuh", ".cu", ".def"))]
    if not sources:
        pytest.skip("not a checkout")
    lost = {
        f"{path} names {name}"
        for path in sources
        for comment in COMMENT.findall((ROOT / path).read_text(encoding="utf-8"))
        for name in MENTIONED.findall(comment)
        if name not in ends | GENERATED
    }
    assert not lost
