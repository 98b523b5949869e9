"""Files that are damaged, foreign, or made to do harm: one sentence, or a sound object."""

import io
import json
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastsoftmax import hccs, heinsen
from fastsoftmax.commands import calibrate
from fastsoftmax.hccs._params import WIDE

Members = dict[str, bytes]
PARAMS: dict[str, Any] = {
    "version": 1,
    "profile": WIDE,
    "mode": WIDE,
    "n": 128,
    "scale": [0.1, 0.2],
    "B": [600, 700],
    "S": [9, 9],
    "Dmax": [63, 60],
}


def use_params(path: Path) -> None:
    """Load parameters and do all that they are for."""
    found = hccs.Params.load(path)
    x = np.zeros((*found.shape, 1, min(found.n, 512)), np.int8)
    if x.shape[-1] == found.n and x.size < 1 << 16:
        hccs.softmax(x, found, mode=found.mode)
        hccs.softmax_float(x.astype(np.float32), found, mode=found.mode)


def use_stats(path: Path) -> None:
    """Load statistics, add to them and calibrate."""
    found = hccs.HeadStats.load(path)
    found.merge(hccs.HeadStats.load(path))
    if found.scale is not None and found.scale.size == 1 and found.rows.all():
        assert hccs.calibrate(found, 7).shape == found.shape


def use_state(path: Path) -> None:
    """Load a state, from a file and from a pickle's bytes, ask it and give it tokens."""
    found = heinsen.State.load(path)
    pickled = heinsen.State.__new__(heinsen.State)
    pickled.__setstate__(path.read_bytes())
    assert repr(pickled) == repr(found)
    x = np.zeros((*found.batch_shape, max(found.d_k, found.d_v)), found.dtype)
    k, v = x[..., : found.d_k], x[..., : found.d_v]
    if found.kind:
        found.attend(k)
    tokens: dict[str, Any] = {found.kind or "v": v}
    found.update(k, **tokens)
    assert found.copy().kind


def use_logits(path: Path) -> None:
    """Read logits as the sub-command does."""
    hccs.HeadStats(0.1).update(*calibrate.read(str(path)))


def stats_file() -> bytes:
    """Return a file of HeadStats."""
    with io.BytesIO() as file:
        found = hccs.HeadStats(np.array([0.1]))
        found.update(np.random.default_rng(0).normal(0, 1, (1, 5, 7)))
        names = ("scale", "rows", "entropy", "mass", "count", "total")
        arrays: dict[str, Any] = {name: getattr(found, name) for name in names}
        np.savez_compressed(file, version=np.array(1), **arrays)
        return file.getvalue()


def state_file(kind: str = "v") -> bytes:
    """Return a file of a State."""
    k = np.random.default_rng(1).normal(0, 1, (2, 9, 3)).astype(np.float32)
    found = heinsen.State((2,), 3, 3, initial="zeros")
    tokens: dict[str, Any] = {kind: k}
    with io.BytesIO() as file:
        (found.update(k, **tokens) if kind else found).save(file)
        return file.getvalue()


def logits_file() -> bytes:
    """Return a file of logits."""
    with io.BytesIO() as file:
        x = np.random.default_rng(2).normal(0, 1, (2, 3, 4))
        np.savez(file, logits=np.asfortranarray(x), mask=x > -1)
        return file.getvalue()


Kind = tuple[bytes, Callable[[Path], None]]
KINDS: dict[str, Kind] = {
    "Params": (json.dumps(PARAMS).encode(), use_params),
    "HeadStats": (stats_file(), use_stats),
    "State": (state_file(), use_state),
    "State of logarithms": (state_file("log_v"), use_state),
    "fresh State": (state_file(""), use_state),
    "logits": (logits_file(), use_logits),
}
ARCHIVES = {name: kind for name, kind in KINDS.items() if name != "Params"}
every_kind = pytest.mark.parametrize(("data", "use"), KINDS.values(), ids=KINDS)
every_archive = pytest.mark.parametrize(("data", "use"), ARCHIVES.values(), ids=ARCHIVES)


def says(path: Path, data: bytes, use: Callable[[Path], None]) -> str:
    """Return what is said of a file: one short line that names it, or nothing if it is sound."""
    path.write_bytes(data)
    try:
        use(path)
    except ValueError as error:
        said = str(error)
        # what is odd only beside other arguments comes from the functions, which know no file
        assert path.name in said or use in (use_logits, use_state), said
        assert said.count("\n") == 0
        assert 10 < len(said) < 600
        return said
    return ""


def members(data: bytes) -> Members:
    """Return the members of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def archive(found: Members, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive whose sums are right."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as made:
        for name, content in found.items():
            made.writestr(name, content)
    return file.getvalue()


def npy(array: Any) -> bytes:
    """Return a member."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    """Turn some bits over."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
    return bytes(changed)


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    """Leave the end or the beginning out."""
    at = int(rng.integers(len(data)))
    return data[:at] if rng.random() < 0.5 else data[at:]


def spliced(data: bytes, rng: np.random.Generator) -> bytes:
    """Put a piece of one of the files somewhere."""
    others = [kind[0] for kind in KINDS.values()]
    other = others[rng.integers(len(others))]
    begin, at = (int(rng.integers(len(d))) for d in (other, data))
    size = int(rng.integers(1, 200))
    skipped = at + (size if rng.random() < 0.5 else 0)
    return data[:at] + other[begin : begin + size] + data[skipped:]


def remade(data: bytes, rng: np.random.Generator) -> bytes:
    """Change members, in an archive whose sums are right all the same."""
    found = members(data)
    names = sorted(found)
    one, other = (names[i] for i in rng.integers(len(names), size=2))
    change = rng.integers(7)
    if change == 0:
        found[one], found[other] = found[other], found[one]
    elif change == 1:
        found[one] = npy(np.load(io.BytesIO(found[one])).T)
    elif change == 2:
        found[one] = npy(ODD[rng.integers(len(ODD))])
    elif change == 3:
        del found[one]
    elif change == 4:  # within the header
        found[one] = flipped(found[one][:128], rng) + found[one][128:]
    else:
        found[one] = (flipped, cut, spliced)[rng.integers(3)](found[one], rng)
    return archive(found, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[rng.integers(2)])


ODD = [
    np.array(["a", "b"]),
    np.array(1e300),
    np.array(-1),
    np.array([]),
    np.array(True),
    np.full((1, 1), np.nan),
    np.array([1 << 40, 1 << 40]),
    np.zeros(3, [("a", "i4")]),
    np.array("log_v"),
    np.array(1j),
    np.array(7, "M8[s]"),
    np.full((2, 3, 3), -np.inf, np.float32),
]


#: For every key of a JSON file.
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 1.0, 1e999, 10**400, -(1 << 63), "", "0.1", WIDE, "paper",
    [], [[]], {}, [1, "1"], [1, [2]], [None], [True], [0.1, 0.2], [[0.1], [0.2]], {"a": 1},
    [1] * 3, [[[1]]], [WIDE], 1 << 31, 10**4000, float("nan"),
]  # fmt: skip


def edited(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a value of a JSON file, whatever its type."""
    found = json.loads(data)
    for _ in range(rng.integers(1, 3)):
        found[sorted(found)[rng.integers(len(found))]] = VALUES[rng.integers(len(VALUES))]
    return json.dumps(found).encode()


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Do something to a file, or two things."""
    special = edited if data.startswith(b"{") else remade
    changes = (flipped, cut, spliced, special, special, special)
    data = changes[rng.integers(len(changes))](data, rng)
    return data if rng.random() < 0.9 else (flipped, spliced)[rng.integers(2)](data + b" ", rng)


def fuzz(path: Path, kind: Kind, tries: int, seed: int = 0) -> int:
    """Return how many of the changed files were sound."""
    rng = np.random.default_rng(seed)
    return sum(says(path, mutated(kind[0], rng), kind[1]) == "" for _ in range(tries))


@every_kind
def test_changed_files(data: bytes, use: Callable[[Path], None], tmp_path: Path) -> None:
    """Only a ValueError, or an object that does its work without a warning."""
    tries = 150 if use is use_stats else 370
    assert says(tmp_path / "whole", data, use) == ""
    assert fuzz(tmp_path / "changed", (data, use), tries) < tries / 2


@pytest.mark.parametrize("key", PARAMS)
def test_every_value_of_every_key(key: str, tmp_path: Path) -> None:
    """Of a JSON file; nothing of the wrong type passes for the right one."""
    for value in VALUES:
        said = says(tmp_path / "x", json.dumps(PARAMS | {key: value}).encode(), use_params)
        kinds = {list: (int, list, *((float,) if key == "scale" else ()))}
        if type(value) not in kinds.get(type(PARAMS[key]), (type(PARAMS[key]),)):
            assert key in said or "JSON" in said, (value, said)


BRACKETS = b"[" * 100_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BRACKETS, "no JSON"),
        (b'{"a":' * 100_000, "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"\0", "no JSON"),
        (b"", "no JSON"),
        (b"9" * 10_000, "no JSON"),
        (b"[]", "must be an object"),
        (b" " * (1 << 26), "bytes"),
        (json.dumps(PARAMS).encode()[:-1] + b', "n": 128}', "twice"),
        (json.dumps(PARAMS | {"scale": [[1]] * 3000, "B": [[600] * 3000]}).encode(), "broadcast"),
        (
            json.dumps(PARAMS | dict.fromkeys("S", 9) | {"Dmax": 60, "scale": [[1]] * 3000}
                       | {"B": [[600] * 3000]}).encode(),
            "9000000 heads",
        ),
    ],
)  # fmt: skip
def test_hostile_json(text: bytes, words: str, tmp_path: Path) -> None:
    """Refused at once."""
    begun = time.process_time()
    assert words in says(tmp_path / "x", text, use_params)
    assert time.process_time() - begun < 5


def test_too_many_heads_are_not_saved(tmp_path: Path) -> None:
    """What load would refuse; no heads at all are fine."""
    no = np.zeros(0, np.int32)
    hccs.Params(no, no, no, no, 7).save(tmp_path / "none")
    assert hccs.Params.load(tmp_path / "none").shape == (0,)
    many = hccs.Params(1, 600, 9, 63, 7)
    object.__setattr__(many, "B", np.broadcast_to(np.int32(1), (1 << 20,)))
    with pytest.raises(ValueError, match="1048576 heads"):
        many.save(tmp_path / "many")
    assert not (tmp_path / "many").exists()


def patched(data: bytes, offset: int, value: bytes) -> bytes:
    """Change a field of every entry of an archive, in the directory and before the members."""
    changed = bytearray(data)
    for mark, shift in ((b"PK\x01\x02", 2), (b"PK\x03\x04", 0)):
        at = changed.find(mark)
        while at >= 0:
            begin = at + offset + shift
            changed[begin : begin + len(value)] = value
            at = changed.find(mark, at + 4)
    return bytes(changed)


@every_archive
def test_hostile_archives(data: bytes, use: Callable[[Path], None], tmp_path: Path) -> None:
    """Encrypted, of another method, of other sizes, with members twice: refused."""
    found = members(data)
    path = tmp_path / "x"
    assert "encrypted" in says(path, patched(data, 6, b"\1\0"), use)
    assert "compressed by method 12" in says(path, patched(data, 8, b"\x0c\0"), use)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert "compressed by method" in says(path, archive(found, method), use)
    for size in (0, 1, 150, 1 << 20, (1 << 32) - 2):
        for offset in (18, 22):
            assert says(path, patched(data, offset, struct.pack("<I", size)), use)
    name = next(iter(found))
    twice = archive(found | {name.removesuffix(".npy"): found[name]})
    assert "one name" in says(path, twice, use)
    for junk in (b"", b"junk", b"PK\5\6" + 18 * b"\0", b"PK\5\6" + 18 * b"\xff", BRACKETS):
        assert says(path, junk, use)


HEADERS = [
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"9" * 5000 + b",), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (0, " + b"9" * 30 + b"), }",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    b"{'descr': '<U0', 'fortran_order': False, 'shape': (1,), }",
    b"{'descr': '>f8', 'fortran_order': False, 'shape': (), }",
    b"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (), }",
    b"{'descr': '<f8', 'fortran_order': 1, 'shape': (), }",
    b"{'descr': '<f8', 'shape': (), }",
    b"(" * 5000,
    b"{" * 100,
    b"'\\d'",
    b"-" * 9000 + b"1",
    b"{'descr': '''",
    b"\xff\xff",
    b"",
]


@every_archive
@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_hostile_headers(
    data: bytes, use: Callable[[Path], None], header: bytes, tmp_path: Path
) -> None:
    """Of members; every one of them in turn, in two versions and one that doesn't exist."""
    found = members(data)
    for name in found:
        for version, size in ((1, "<H"), (2, "<I"), (9, "<H")):
            start = b"\x93NUMPY" + bytes([version, 0]) + struct.pack(size, len(header))
            changed = found | {name: start + header + bytes(8)}
            assert says(tmp_path / "x", archive(changed), use)


@every_archive
@pytest.mark.parametrize("shape", [(1 << 27,), (1 << 14, 1 << 13), (1, 1, 1 << 27)])
def test_bombs_are_not_inflated(
    data: bytes, use: Callable[[Path], None], shape: tuple[int, ...], tmp_path: Path
) -> None:
    """A gigabyte in the place of each member; nothing of that size is made."""
    found = members(data)
    head = io.BytesIO()
    descr = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, descr)
    small = 1 << 20  # the archive says more than there is: making a gigabyte takes too long
    bomb = head.getvalue() + bytes(small)
    for name in found:
        if name.startswith("logits"):
            continue  # they may be as large as that
        text = archive(found | {name: bomb}, zipfile.ZIP_DEFLATED)
        size = struct.pack("<I", len(head.getvalue()) + 8 * (1 << 27))
        text = text.replace(struct.pack("<I", len(bomb)), size)
        tracemalloc.start()
        try:
            assert says(tmp_path / "x", text, use)
            assert tracemalloc.get_traced_memory()[1] < 50_000_000
        finally:
            tracemalloc.stop()


def test_more_than_the_limit(tmp_path: Path) -> None:
    """Compressed members may inflate to 2^31 bytes in all, checked before any of them is read."""
    found = members(logits_file())
    descr = {"descr": "|b1", "fortran_order": False, "shape": ((1 << 31) + 1,)}
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, descr)
    bomb = head.getvalue() + bytes(4321)
    text = archive(found | {"mask.npy": bomb}, zipfile.ZIP_DEFLATED)
    size = struct.pack("<I", len(head.getvalue()) + (1 << 31) + 1)
    text = text.replace(struct.pack("<I", len(bomb)), size)
    assert "more than 2147483648 bytes" in says(tmp_path / "x", text, use_logits)


def test_states_of_sizes_that_nobody_has(tmp_path: Path) -> None:
    """Sizes that agree, but whose state would be far larger than its file."""
    for heads, d_k, d_v in ((0, 1 << 20, 1 << 20), (1 << 22, 1, 1), (0, 1 << 31, 1), (3, 0, 3)):
        m, z = (np.zeros((heads, d_k), np.float32) for _ in range(2))
        arrays: dict[str, Any] = {"m": m, "z": z}
        arrays["A"] = np.zeros((heads, d_k, d_v), np.float32)
        file = io.BytesIO()
        batch = np.array([heads])
        np.savez_compressed(file, batch_shape=batch, values=np.array("v"), **arrays)
        assert says(tmp_path / "x", file.getvalue(), use_state)


def test_numbers_that_nothing_leaves_behind(tmp_path: Path) -> None:
    """A file whose sums are right, of numbers that would give warnings or nonsense later."""
    for kind, (data, use) in ARCHIVES.items():
        found = members(data)
        for name, content in found.items():
            array = np.load(io.BytesIO(content))
            if array.dtype.kind != "f" or kind == "logits":
                continue
            for value in (-1.0, -np.inf, np.nan, np.inf, 1e30):
                spoilt = array.copy()
                spoilt.flat[0] = value
                said = says(tmp_path / "x", archive(found | {name: npy(spoilt)}), use)
                if kind in ("HeadStats", "fresh State") and (kind, name, value) not in FINE:
                    assert said, (kind, name, value)
                if name in ("z.npy", "S.npy") and value < 0:
                    assert said


FINE = {("HeadStats", "scale.npy", 1e30), ("HeadStats", "entropy.npy", 1e30)}


def test_a_folder_and_no_file(tmp_path: Path) -> None:
    """Troubles of the file system stay OSErrors."""
    for _, use in KINDS.values():
        for path in (tmp_path, tmp_path / "absent"):
            with pytest.raises(OSError, match=path.name):
                use(path)


@pytest.mark.parametrize("kind", [hccs.HeadStats, hccs.Params, heinsen.State])
def test_what_is_no_file(kind: Any) -> None:
    """The wrong type has the error of a wrong type."""
    for wrong in (None, 3.0, ["p"]):
        with pytest.raises(TypeError):
            kind.load(wrong)
