"""Files that are written: whole or not at all, and where and as the user has them."""

import argparse
import errno
import io
import os
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastsoftmax import export, hccs, heinsen
from fastsoftmax._files.replacing import replacing
from fastsoftmax.commands import _curves, calibrate
from fastsoftmax.commands import export as export_command
from fresh import output

PARAMS = hccs.Params(0.1, np.full(50, 600), 9, 63, 128)


def stats() -> hccs.HeadStats:
    """Statistics of two heads."""
    found = hccs.HeadStats(0.1)
    found.update(np.random.default_rng(0).normal(0, 1, (2, 5, 7)))
    return found


def state() -> heinsen.State:
    """Give a state that has seen tokens."""
    k = np.random.default_rng(1).normal(0, 1, (9, 5)).astype(np.float32)
    return heinsen.State((), 5, 5).update(k, k)


def run(module: Any, *arguments: object) -> None:
    """Run a sub-command in this process."""
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    module.run(parser.parse_args([*map(str, arguments)]))


def run_calibrate(path: Path) -> None:
    """Calibrate from a file elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(f"{folder}/logits.npz", x=np.zeros((1, 2, 3)) + np.arange(3.0))
        run(calibrate, f"{folder}/logits.npz", "-o", path)


def draw(path: Path) -> None:
    """Draw a picture."""
    pytest.importorskip("matplotlib")
    _curves.draw(path, np.zeros((2, 2, 3)) + np.arange(3.0), None, hccs.Params(1, 600, 9, 63, 3))


def run_export(path: Path) -> None:
    """Export a header; its errors are a status."""
    try:
        run(export_command, export.surrogates()[0], "-o", path)
    except SystemExit as ended:
        raise OSError(ended.code, "as the command said") from None


WRITERS: dict[str, Callable[[Path], None]] = {
    "Params": PARAMS.save,
    "HeadStats": lambda path: stats().save(path),
    "State": lambda path: state().save(path),
    "calibrate": run_calibrate,
    "picture": draw,
    "export": run_export,
}
every_writer = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)


@every_writer
def test_exact_name_and_mode(write: Callable[[Path], None], tmp_path: Path) -> None:
    """A new file has the mode that the mask leaves; an old one keeps its own."""
    path = tmp_path / "a b.dat.png"
    mask = os.umask(0o027)
    try:
        write(path)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.write_bytes(b"old")
    path.chmod(0o604)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    assert path.stat().st_size > 3
    assert list(tmp_path.iterdir()) == [path]


@every_writer
def test_links_are_followed_and_kept(write: Callable[[Path], None], tmp_path: Path) -> None:
    """Also those that lead nowhere yet; a loop of links is an OSError."""
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "x.png", tmp_path / "link.png"
    link.symlink_to("there/x.png")
    for _ in range(2):
        write(link)
        assert link.is_symlink()
        assert not target.is_symlink()
        assert target.stat().st_size > 0
        target.write_bytes(b"")
    link.unlink()
    link.symlink_to(link)
    with pytest.raises(OSError, match=r"link\.png|as the command"):
        write(link)


@every_writer
def test_a_pipe_stays_a_pipe(write: Callable[[Path], None], tmp_path: Path) -> None:
    """What isn't a regular file is written, not replaced; also through a link."""
    pipe, link = tmp_path / "pipe.png", tmp_path / "link.png"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        read: list[bytes] = []
        reader = threading.Thread(target=lambda read=read: read.append(pipe.read_bytes()))
        reader.start()
        write(path)
        reader.join(60)
        assert len(read[0]) > 3
        assert stat.S_ISFIFO(pipe.stat().st_mode)
        assert link.is_symlink()


FAILURES = ("open", "fchmod", "fsync", "replace")


@every_writer
@pytest.mark.parametrize("step", FAILURES)
def test_failure_keeps_the_old_file(
    write: Callable[[Path], None], step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the system refuses: a read-only folder, a full disk, a crossed mount."""
    path = tmp_path / "x.png"
    path.write_bytes(b"old")
    real = getattr(os, step)

    def refuse(*arguments: Any, **options: Any) -> Any:
        if step == "open" and not arguments[1] & os.O_CREAT:
            return real(*arguments, **options)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "elsewhere")

    monkeypatch.setattr(os, step, refuse)
    with pytest.raises(OSError, match=r"No space left on device: '.*x\.png'|as the command"):
        write(path)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@every_writer
def test_missing_folders_and_folders(write: Callable[[Path], None], tmp_path: Path) -> None:
    """An OSError, and nothing is left."""
    for path in (tmp_path, tmp_path / "absent" / "x.png"):
        with pytest.raises(OSError, match=r"x\.png|Is a directory|as the command"):
            write(path)
    assert list(tmp_path.iterdir()) == []


def test_files_without_the_right_to_write(tmp_path: Path) -> None:
    """A file that may not be written isn't replaced, though its folder would allow it."""
    path = tmp_path / "x.json"
    path.write_bytes(b"old")
    path.chmod(0o444)
    if os.access(path, os.W_OK):
        pytest.skip("this user may write every file")
    with pytest.raises(PermissionError):
        PARAMS.save(path)
    assert path.read_bytes() == b"old"


#: Children save one of two contents over and over, and are killed, or meet the end of the disk.
SCRIPT = """
import os, random, resource, signal, sys, time
import numpy as np
from fastsoftmax import hccs, heinsen

kind, path, tries = sys.argv[1], sys.argv[2], int(sys.argv[3])
if kind == "Params":
    both = [hccs.Params(0.1, np.full(3000, b), 9, 63, 128) for b in (600, 700)]
    load = lambda: [hccs.Params.load(path) == each for each in both]
elif kind == "HeadStats":
    both = [hccs.HeadStats(scale) for scale in (0.1, 0.2)]
    for each in both:
        each.update(np.random.default_rng(0).normal(0, 1, (20, 5, 7)))
    load = lambda: [np.array_equal(hccs.HeadStats.load(path).scale, e.scale) for e in both]
else:
    k = np.random.default_rng(0).normal(0, 1, (9, 300)).astype(np.float32)
    both = [heinsen.State((), 300, 300).update(k, v) for v in (k, k + 1)]
    load = lambda: [(heinsen.State.load(path).attend(k) == e.attend(k)).all() for e in both]
both[0].save(path)
assert load() == [True, False]
for t in range(tries):
    child = os.fork()
    if child == 0:
        for each in 10000 * both:
            each.save(path)
        os._exit(0)
    time.sleep(random.Random(t).uniform(0, 0.03))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print("lost" if load().count(True) != 1 else "whole")
both[1].save(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
before = [n for n in os.listdir(os.path.dirname(path))]
try:
    both[0].save(path)
    print("nothing was said")
except OSError as error:
    print("File too large" in str(error) and path in str(error))
print(load() == [False, True] and before == os.listdir(os.path.dirname(path)))
"""


@pytest.mark.parametrize("kind", ["Params", "HeadStats", "State"])
def test_killed_or_out_of_space_in_the_midst(kind: str, tmp_path: Path) -> None:
    """The old file or all of the new one, whenever the process ends."""
    tries = 14
    said = output("-c", SCRIPT, kind, str(tmp_path / "file"), str(tries))
    assert said.splitlines() == ["whole"] * tries + ["True", "True"]
    left = [path.name for path in tmp_path.iterdir() if path.name != "file"]
    assert all(name.startswith(".fastsoftmax-") and name.endswith(".tmp") for name in left)


def test_state_is_saved_under_the_name_that_is_given(tmp_path: Path) -> None:
    """And found by it; a name without .npz also finds what others wrote with it."""
    k = np.ones(5, np.float32)
    saved = state()
    for name in ("p", "p.npz", "q.dat"):
        saved.save(tmp_path / name)
        assert (tmp_path / name).exists()
        loaded = heinsen.State.load(str(tmp_path / name))
        assert np.array_equal(loaded.attend(k), saved.attend(k))
        (tmp_path / name).unlink()
    saved.save(tmp_path / "p.npz")
    assert np.array_equal(heinsen.State.load(tmp_path / "p").attend(k), saved.attend(k))
    with pytest.raises(FileNotFoundError, match="absent"):
        heinsen.State.load(tmp_path / "absent")
    file = io.BytesIO()
    saved.save(file)
    file.seek(0)
    assert np.array_equal(heinsen.State.load(file).attend(k), saved.attend(k))


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="no links to open files here")
@pytest.mark.parametrize("gone", [False, True])
def test_an_open_file_is_written_where_it_is(tmp_path: Path, gone: bool) -> None:
    """What a shell redirects: neither replaced nor cut, and it need not have a name any more."""
    place = tmp_path / "all"
    link = tmp_path / "link"
    with open(place, "w+b") as file:
        link.symlink_to(f"/proc/self/fd/{file.fileno()}")
        if gone:
            place.unlink()
        file.write(b"before\n")
        file.flush()
        for name in (f"/proc/self/fd/{file.fileno()}", f"/dev/fd/{file.fileno()}", link):
            with replacing(name) as out:
                out.write(b"written\n")
        file.seek(0, os.SEEK_END)
        file.write(b"after\n")
        file.seek(0)
        assert file.read() == b"before\n" + 3 * b"written\n" + b"after\n"
    assert link.is_symlink()
