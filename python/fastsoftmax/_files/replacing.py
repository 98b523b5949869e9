"""Files of the user, written whole: at a path is the old file or all of the new one."""

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from typing import IO

#: How the name of the file begins and ends that is written first. Such a file stays only where the
#: process was killed.
PREFIX, SUFFIX = ".fastsoftmax-", ".tmp"
_MOST_LINKS = 40  # the system follows no more


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a file to be written; what was at `path` stays until the block ends without an error.

    A symbolic link is followed and kept, and so is the mode of a file; other hard links keep the
    old file. What isn't a regular file, such as a pipe or a device, is written as it stands, and so
    is an open file of this process that a path like ``/dev/stdout`` stands for: from where it is.
    An OSError names `path`.
    """
    name = os.fsdecode(path)
    try:
        handle, old = _descriptor(name), _status(name)
        if handle is not None:
            with open(os.dup(handle), "wb") as file:
                yield file
        elif old is not None and not stat.S_ISREG(old.st_mode):
            with open(name, "wb") as file:
                yield file
        else:
            yield from _replaced(os.path.realpath(name) if os.path.islink(name) else name, old)
    except OSError as error:
        if error.errno is None:
            raise
        # The name of the file that is written first would tell the user nothing.
        raise OSError(error.errno, os.strerror(error.errno), name) from None


def _descriptor(name: str) -> int | None:
    """Give the number of the open file that a path stands for, if it does.

    Its link may be followed to a path, but another file in that place is not the open one.
    """
    for _ in range(_MOST_LINKS):
        folder, last = os.path.split(name)
        own = rf"/dev/fd|/proc/{os.getpid()}(/task/\d+)?/fd"
        if last.isdecimal() and re.fullmatch(own, os.path.realpath(folder or os.curdir)):
            return int(last)
        if not os.path.islink(name):
            break
        name = os.path.join(folder, os.readlink(name))
    return None


def _status(name: str) -> os.stat_result | None:
    try:
        return os.stat(name)
    except FileNotFoundError:
        return None


def _replaced(target: str, old: os.stat_result | None) -> Iterator[IO[bytes]]:
    folder = os.path.dirname(target) or os.curdir
    if old is not None:
        # Replacing a file needs no right to write it, so that right is asked for here.
        os.close(os.open(target, os.O_WRONLY))
    temporary = os.path.join(folder, f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    handle = os.open(temporary, flags, 0o666 if old is None else 0o600)
    try:
        with open(handle, "wb") as file:
            if old is not None:
                _like(handle, old)
            yield file
            file.flush()
            os.fsync(handle)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    # The file is whole by now. A folder may not be readable, and not all can be synchronised.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _like(handle: int, old: os.stat_result) -> None:
    """Give a new file the owner, where that is allowed, and the mode of the old one."""
    new = os.fstat(handle)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(OSError):
            os.fchown(handle, old.st_uid, old.st_gid)
    os.fchmod(handle, old.st_mode & 0o777)
