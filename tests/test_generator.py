"""The surrogate generator: what it accepts, and what it refuses in which words."""

from __future__ import annotations

import ast
import os
import sys
import tomllib
from pathlib import Path

import pytest
from generator_cases import (
    ENTRY_REFUSALS,
    FILE_REFUSALS,
    GOOD_D,
    GOOD_G,
    GOOD_U,
    NAME_REFUSALS,
    entry_text,
)
from generator_run import HEADER, LIST, SHIPPED_TEXT, SURROGATES, generate, generate_file


def refusal(text: str, folder: Path) -> str:
    """Return the line with which the generator refuses a text; it writes nothing else."""
    result = generate(text, folder)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.endswith("\n")
    assert result.stderr.count("\n") == 1
    assert not (folder / "out").exists()
    return result.stderr.rstrip("\n")


@pytest.mark.parametrize("entry", [GOOD_U, GOOD_D, GOOD_G], ids=["h(u)", "h(d)", "g(m, s, x)"])
def test_each_form_is_accepted(entry: dict[str, str], tmp_path: Path) -> None:
    """The entries that the refusals below spoil are good ones."""
    result = generate("schema = 1" + entry_text(entry), tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    rows = (tmp_path / "out" / LIST).read_text().splitlines()[1:]
    assert rows == ["FS_SURROGATE(foo)"] + ["FS_RAW(foo, foo_raw)"] * (entry is GOOD_G)


def test_shipped_file_is_accepted(tmp_path: Path) -> None:
    """Every entry is listed in the order of the file, the raw recurrences after them."""
    result = generate(SHIPPED_TEXT, tmp_path)
    assert (result.returncode, result.stderr, result.stdout) == (0, "", "")
    entries = tomllib.loads(SHIPPED_TEXT)["surrogates"]
    wanted = [f"FS_SURROGATE({name})" for name in entries]
    wanted += [f"FS_RAW({name}, {name}_raw)" for name, entry in entries.items() if entry["raw"]]
    assert (tmp_path / "out" / LIST).read_text().splitlines()[1:] == wanted


def test_output_is_the_same_twice_and_left_alone(tmp_path: Path) -> None:
    """Unchanged files keep their time, so that a build doesn't compile them again."""
    text = "schema = 1" + entry_text(GOOD_U) + entry_text(GOOD_D, "bar") + entry_text(GOOD_G, "baz")
    outputs = [tmp_path / "out" / HEADER, tmp_path / "out" / LIST]
    assert generate(text, tmp_path).returncode == 0
    first = [output.read_bytes() for output in outputs]
    for output in outputs:
        os.utime(output, (1, 1))
    assert generate(text, tmp_path).returncode == 0
    assert [output.stat().st_mtime for output in outputs] == [1, 1]
    for output in outputs:
        output.unlink()
    assert generate(text, tmp_path).returncode == 0
    assert [output.read_bytes() for output in outputs] == first


def test_refusal_leaves_earlier_output_alone(tmp_path: Path) -> None:
    """A build that stops keeps the files of the last one that didn't."""
    assert generate("schema = 1" + entry_text(GOOD_U), tmp_path).returncode == 0
    before = (tmp_path / "out" / HEADER).read_bytes()
    assert generate("schema = 1" + entry_text(GOOD_U | {"tail": "1.0"}), tmp_path).returncode == 2
    assert (tmp_path / "out" / HEADER).read_bytes() == before


@pytest.mark.parametrize(("text", "reason"), FILE_REFUSALS)
def test_malformed_file_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    """What isn't an entry's fault is said of the file."""
    assert refusal(text, tmp_path).startswith(f"surrogates.toml: {reason}")


def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A missing file and one that is no text."""
    result = generate_file(tmp_path / "nowhere.toml", tmp_path / "out")
    assert result.returncode == 2
    assert result.stderr == "nowhere.toml: can't be read: No such file or directory\n"
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    result = generate_file(tmp_path / "bytes.toml", tmp_path / "out")
    assert result.returncode == 2
    assert result.stderr.startswith("bytes.toml: is not TOML: ")


@pytest.mark.parametrize(("name", "reason"), NAME_REFUSALS)
def test_bad_name_is_refused(name: str, reason: str, tmp_path: Path) -> None:
    """A name must do as a variant and as a C++ struct."""
    line = refusal("schema = 1" + entry_text(GOOD_U, name), tmp_path)
    shown = name.strip('"').replace("\\n", " ")
    assert line.startswith(f"surrogates.toml: entry '{shown}': {reason}")


@pytest.mark.parametrize(
    ("good", "change", "reason"),
    [case[1:] for case in ENTRY_REFUSALS],
    ids=[case[0] for case in ENTRY_REFUSALS],
)
def test_bad_entry_is_refused(
    good: dict[str, str], change: dict[str, str | None], reason: str, tmp_path: Path
) -> None:
    """The second of two entries is at fault, and is named."""
    entry = {key: value for key, value in (good | change).items() if value is not None}
    line = refusal("schema = 1" + entry_text(GOOD_U, "fine") + entry_text(entry), tmp_path)
    assert line.startswith(f"surrogates.toml: entry 'foo': {reason}")


def test_entry_must_be_a_table(tmp_path: Path) -> None:
    """A plain value in the place of an entry."""
    line = refusal("schema = 1\n[surrogates]\nfoo = 1\n", tmp_path)
    assert line == "surrogates.toml: entry 'foo': is not a table"


def test_nothing_is_executed_and_nothing_foreign_imported() -> None:
    """The generator calls nothing that runs text, and the build needs the standard library only."""
    own = {path.stem for path in SURROGATES.glob("*.py")}
    for path in SURROGATES.glob("*.py"):
        if path.name == "fit_quad.py":  # not part of the build
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name):
                assert node.id not in ("eval", "exec", "compile", "__import__"), path.name
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                assert module.split(".")[0] in own | sys.stdlib_module_names, path.name
