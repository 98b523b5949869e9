"""C++ sources of the bench, compiled at their first use by the compiler that is installed.

What was compiled is kept in the user's cache, by a hash of the source, the flags and the compiler;
where nothing can be kept there, in a temporary folder for as long as the process lives. A library
is written beside its place and then renamed: two processes that compile at once don't meet.
"""

import atexit
import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

COMPILERS = ("c++", "g++", "clang++")
#: Seconds that a compiler may take: it takes one or two.
PATIENCE = 120


class NotCompiled(RuntimeError):
    """There is no compiler, or it failed; the message is one line."""


def _answer(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False
    )


def compiler() -> tuple[list[str], str]:
    """Find the compiler, $CXX before all others; give its command and what it says of itself."""
    named = shlex.split(os.environ.get("CXX", ""))
    for command in [named] if named else [[name] for name in COMPILERS]:
        if shutil.which(command[0]):
            return command, _answer([*command, "--version"]).stdout
    tried = f"$CXX is {shlex.join(named)!r}" if named else f"tried {', '.join(COMPILERS)}"
    raise NotCompiled(f"no C++ compiler ({tried})")


def _cache() -> Path:
    """Give a folder of this user's own, in the cache if that can be written."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(base) / "fastsoftmax" / "bench"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    except (OSError, RuntimeError):  # RuntimeError: nobody's home is known
        pass
    folder = Path(tempfile.mkdtemp(prefix="fastsoftmax-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def library(source: Path, flags: dict[str, list[str]]) -> ctypes.CDLL:
    """Compile a source into a shared library, unless that was done before, and load it.

    Parameters
    ----------
    source
        The file; it includes nothing but the standard library.
    flags
        Those for Clang under ``"clang"``, for others under ``"gcc"``.

    Raises
    ------
    NotCompiled
        With the reason in one line.
    """
    try:
        command, version = compiler()
        kind = "clang" if "clang" in version else "gcc"
        command += [*flags[kind], "-shared", "-fPIC"]
        parts = [source.read_text(encoding="utf-8"), platform.machine(), version, *command]
        key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
        file = _cache() / f"{source.stem}-{key}.so"
        if not file.exists():
            _compile(command, source, file)
        return ctypes.CDLL(str(file))
    except (OSError, subprocess.TimeoutExpired) as trouble:
        raise NotCompiled(f"{source.name}: {trouble}") from trouble


def _compile(command: list[str], source: Path, file: Path) -> None:
    handle, name = tempfile.mkstemp(suffix=".so", dir=file.parent)
    os.close(handle)
    try:
        done = _answer([*command, str(source), "-o", name])
        if done.returncode != 0:
            said = next((line for line in done.stderr.splitlines() if "error" in line), "")
            raise NotCompiled(f"{command[0]} can't compile {source.name}: {said}")
        os.replace(name, file)
    finally:
        Path(name).unlink(missing_ok=True)
