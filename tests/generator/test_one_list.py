"""kernels.def is the one list of variants: the CPU's units, CUDA and the generator read it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import pytest
from cuda_lists import cuda_variants, expanded
from generator_cases import GOOD_D, GOOD_G, entry_text
from generator_run import SHIPPED_TEXT, generate
from repository import SURROGATES

CORE = SURROGATES.parent
ROOT = CORE.parent
TABLE = CORE / "kernels" / "kernels.def"
LINE = "FS_VARIANT(toy)\n"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the shipped surrogates and two more, of which one has a published recurrence."""
    folder = tmp_path_factory.mktemp("generated")
    text = SHIPPED_TEXT + entry_text(GOOD_D, "fresh") + entry_text(GOOD_G, "line")
    result = generate(text, folder)
    assert result.returncode == 0, result.stderr
    return folder / "out"


@pytest.fixture
def longer(tmp_path: Path) -> Path:
    """Copy the table with one more hand-written variant, to be found before the real one."""
    text = TABLE.read_text()
    last = "FS_VARIANT(poly4)\n"  # by name: where the line goes
    assert text.count(last) == 1
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / TABLE.name).write_text(text.replace(last, last + LINE))
    return tmp_path


def test_a_new_entry_is_on_cuda(generated: Path) -> None:
    """One entry gives rows and `scan`; a recurrence as published is in `scan` alone."""
    found = cuda_variants(ROOT, generated)
    fresh = [f"variant::generated<surrogate::{name}>" for name in ("fresh", "line")]
    assert found["rows"][-2:] == fresh
    assert set(fresh) | {"Raw<surrogate::line_raw>"} <= set(found["scan"])
    shared = {name for name in found["rows"] if name.startswith("variant::")}
    assert {"variant::exact", *shared} == {n for n in found["scan"] if n.startswith("variant::")}
    for names in found.values():
        assert len(set(names)) == len(names)


def test_a_new_hand_written_variant_is_everywhere(longer: Path, generated: Path) -> None:
    """One line gives it to the CPU's units and to CUDA's rows and `scan`."""
    before = cuda_variants(ROOT, generated)
    after = cuda_variants(ROOT, longer, generated)
    for operation, names in before.items():
        assert set(after[operation]) - set(names) == {"variant::toy"}
    table = longer / "table.cpp"
    table.write_text(
        "#define FS_ROW(operation, variant, vector) operation variant vector\n"
        "#define FS_STEPWISE FS_ROW\n"
        '#include "kernels/kernels.def"\n'
    )
    rows = expanded(table, longer, generated)
    for operation in ("Online", "LogSoftmax", "Normalizer", "Weigh", "Scan", "Update"):
        assert f"{operation} variant::toy F32" in rows
    assert "Topk variant::exact F64" in rows
    assert "Topk variant::toy" not in rows


def test_its_name_is_taken(longer: Path) -> None:
    """The generator reads the table that lies beside it."""
    shutil.copytree(SURROGATES, longer / "surrogates")
    for name, status in (("toy", 2), ("train", 0)):
        source = longer / "surrogates.toml"
        source.write_text("schema = 1" + entry_text(GOOD_D, name))
        script = longer / "surrogates" / "generate.py"
        command = map(str, (sys.executable, "-B", script, source, "--out", longer / "out"))
        result = subprocess.run([*command], capture_output=True, text=True, check=False)
        assert result.returncode == status, result.stderr
        assert ("that of a hand-written variant" in result.stderr) == (status == 2)


def taken() -> set[str]:
    """Ask the generator for the names that it keeps."""
    script = "import entry; print(*entry.hand_written())"
    command = [sys.executable, "-B", "-c", script]
    told = subprocess.run(command, cwd=SURROGATES, capture_output=True, text=True, check=True)
    return set(told.stdout.split())


def test_names_are_those_of_the_kernels(hostcuda: Any) -> None:
    """What the table calls a variant is what the variant calls itself, on the CPU and on CUDA."""
    operations = {"online", "scan"}
    core = {k.variant for k in fs.kernels() if k.op in operations and k.device == "cpu"}
    cuda = {row["variant"] for row in hostcuda.kernels() if row["op"] in operations}
    generated = {k.variant for k in fs.kernels() if k.form not in ("exp", "B - S*d")}
    assert core <= cuda
    assert taken() == cuda - generated
