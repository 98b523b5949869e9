"""The surrogate generator: what it accepts, and what it refuses in which words."""

from __future__ import annotations

import ast
import os
import resource
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
from generator_run import HEADER, LIST, SHIPPED_TEXT, generate, generate_file
from repository import SURROGATES


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


def spoilt(**change: str) -> str:
    """Return a file of a fine entry and one with another value."""
    return "schema = 1" + entry_text(GOOD_U, "fine") + entry_text(GOOD_U | change)


FAR_TOO_MUCH: list[tuple[str, str, str]] = [
    ("brackets", spoilt(operations="[" * 100_000), "entry 'foo': can't be read"),
    ("braces", spoilt(let="{ a = " * 50_000), "entry 'foo': can't be read"),
    ("closed", spoilt(domain="[" * 5000 + "]" * 5000), "entry 'foo': can't be read"),
    ("digits", spoilt(operations="9" * 5000), "entry 'foo': can't be read"),
    ("hexadecimal", spoilt(operations="0x" + "f" * 500_000), "entry 'foo': can't be read"),
    ("in a list", spoilt(domain="[0x" + "f" * 9000 + ", 0.0]"), "entry 'foo': can't be read"),
    ("squarings", spoilt(squarings="0x" + "f" * 9000), "entry 'foo': can't be read"),
    ("schema", "schema = 0x" + "f" * 9000, "is not TOML"),
    ("schema's digits", "schema = " + "9" * 9000, "can't be read"),
    ("exponent", spoilt(measured_error="1e" + "9" * 4000), "entry 'foo': measured_error = inf"),
    ("literal", spoilt(expression='"u * 1e' + "9" * 3000 + '"'), "entry 'foo': '1e999"),
    ("long literal", spoilt(expression=f'"u * {"9" * 3900}"'), "entry 'foo': '999"),
    ("too long", spoilt(expression=f'"{"9" * 500_000}"'), "entry 'foo': an expression of 500000"),
    ("parentheses", spoilt(expression=f'"{"(" * 1900}u{")" * 1900}"'), "entry 'foo': "),
    ("calls", spoilt(expression=f'"{"abs(" * 700}u{")" * 700}"'), "entry 'foo': "),
    ("sums", spoilt(expression=f'"{"u+" * 1900}u"'), "entry 'foo': "),
    ("table's name", "schema = 1\n[" + "a." * 50_000 + "a]", "line 2 has a key of many parts"),
    ("quoted", "schema = 1\n[" + "'a' . " * 50_000 + "a]", "line 2 has a key of many parts"),
    ("key", spoilt() + "\n" + "a." * 100_000 + "a = 1", "entry 'foo': line"),
    ("inner key", spoilt(let="{ " + "a." * 9000 + "a = 1 }"), "entry 'foo': line"),
    ("lets", spoilt(let="{ " + ", ".join(f'a{i} = "1"' for i in range(30_000)) + " }"), "entry"),
    ("long name", f"schema = 1\n[surrogates.{'a' * 500_000}]", "entry 'aaa"),
    ("long key", spoilt() + "a" * 500_000 + " = 1", "entry 'foo': unknown key"),
    ("entries", "schema = 1\n" + "".join(f"[surrogates.a{i}]\n" for i in range(40_000)), "has 4"),
    ("a megabyte", "schema = 1\n" + "#" * (1 << 20), "has more than 1048576 bytes"),
    ("a word", "schema = 1\n" + "a-" * 500_000, "is not TOML"),
    ("quotes", "schema = 1\n" + "'a" * 300_000, "is not TOML"),
    ("escape", spoilt(origin='"\\u001b[31m\\u0000"'), "entry 'foo': origin holds"),
    ("NUL in a name", spoilt() + '[surrogates."a\\u0000\\u001b"]', "entry 'a??': a name"),
    ("NUL", "schema = 1\n\0", "is not TOML"),
]


@pytest.mark.parametrize(
    ("text", "reason"), [case[1:] for case in FAR_TOO_MUCH], ids=[case[0] for case in FAR_TOO_MUCH]
)
def test_hostile_file_is_refused_at_once(text: str, reason: str, tmp_path: Path) -> None:
    """However deep, long or many: a short line, and no second is spent on it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = refusal(text, tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert line.startswith(f"surrogates.toml: {reason}")
    assert len(line) < 600
    assert line.isprintable()
    assert after.ru_utime - before.ru_utime < 3  # a second where nothing else runs


def test_many_operations_are_refused(tmp_path: Path) -> None:
    """What the sample would take minutes for."""
    terms = "+".join(f"{i}*d" for i in range(500))
    text = "schema = 1" + entry_text(GOOD_D | {"expression": f'"a+{terms}"', "operations": "1005"})
    assert refusal(text, tmp_path).endswith(" operations; 200 at most")


def test_folders_are_no_files(tmp_path: Path) -> None:
    """Neither to read from nor to write to."""
    result = generate_file(tmp_path, tmp_path / "out")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "can't be read: Is a directory" in result.stderr
    (tmp_path / "out").write_text("a file")
    result = generate("schema = 1" + entry_text(GOOD_U), tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "can't be written: " in result.stderr


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
    sources = sorted(SURROGATES.rglob("*.py"))
    assert sources, f"no source of the generator in {SURROGATES}"
    own = {path.stem for path in sources}
    for path in sources:
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
