"""Arrays of ``.npz`` files, which are not trusted: sizes are checked before anything is made."""

import errno
import io
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

#: What compressed members may inflate to, all together; others are bounded by the file's size.
MOST_INFLATED = 1 << 31
_MOST_HEADER = 10_000
_PIECE = 1 << 20
_MOST_WORDS = 200  # characters; a reason may quote the file
_ENCRYPTED = 1
#: What zipfile and NumPy raise for files that are damaged or no archives.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError, EOFError,
    ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class Member:
    """What a file says of one of its arrays; the archive says the same of its size."""

    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype[Any]
    begin: int  # of the elements in the member

    @property
    def size(self) -> int:
        """Bytes of the elements."""
        return math.prod(self.shape) * self.dtype.itemsize


class Npz:
    """An open archive. Its errors don't name the file; `opened` adds the name."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file)
        self._room = file.seek(0, io.SEEK_END)
        found = self._zip.infolist()
        self._members = {info.filename.removesuffix(".npy"): info for info in found}
        if len(self._members) < len(found):
            raise ValueError("two of its members have one name")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(self._members)

    def stored(self, *names: str) -> int:
        """Bytes of arrays that aren't compressed."""
        found = [self._members[name] for name in names]
        return sum(i.file_size for i in found if i.compress_type == zipfile.ZIP_STORED)

    def headers(self, *names: str) -> dict[str, Member]:
        """Shapes and dtypes of arrays, all of which must be there and fit the limits."""
        if missing := set(names) - self._members.keys():
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        declared = sum(self._members[name].file_size for name in names)
        if declared - self.stored(*names) > MOST_INFLATED:
            raise ValueError(f"its arrays inflate to more than {MOST_INFLATED} bytes")
        return {name: self._header(name) for name in names}

    def array(self, name: str) -> NDArray[Any]:
        """Return an array whose header has been taken."""
        header = self._header(name)
        flat = np.empty(header.size, np.uint8)
        with self._open(name) as member:
            member.read(header.begin)
            for first in range(0, header.size, _PIECE):
                want = min(_PIECE, header.size - first)
                piece = member.read(want)
                if len(piece) < want:
                    raise ValueError(f"{name} ends too early")
                flat[first : first + want] = np.frombuffer(piece, np.uint8)
        if header.dtype.kind == "b" and (flat > 1).any():
            raise ValueError(f"{name} has booleans that are neither true nor false")
        found = flat.view(header.dtype)
        if header.by_columns:
            return found.reshape(header.shape[::-1]).T.copy()
        return found.reshape(header.shape)

    def _header(self, name: str) -> Member:
        size = self._members[name].file_size
        with self._open(name) as member, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of texts that are refused or read all the same
            text = io.BytesIO(member.read(_MOST_HEADER))
            version = np.lib.format.read_magic(text)
            if version not in _READERS:
                raise ValueError(f"{name} has a header of version {version}")
            found = Member(*_READERS[version](text), text.tell())
        if found.dtype.kind not in "biufU" or not found.dtype.isnative:
            raise ValueError(f"{name} is of dtype {found.dtype}, which isn't read")
        if min(found.shape, default=0) < 0 or found.begin + found.size != size:
            raise ValueError(f"{name} has {size} bytes, not those of its shape {found.shape}")
        return found

    def _open(self, name: str) -> IO[bytes]:
        info = self._members[name]
        if info.flag_bits & _ENCRYPTED:
            raise ValueError(f"{name} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is compressed by method {info.compress_type}")
        plain = info.compress_type == zipfile.ZIP_STORED
        if info.compress_size > self._room or (plain and info.compress_size != info.file_size):
            raise ValueError(f"{name} has another size than the archive says")
        return self._zip.open(info)


@contextmanager
def opened(file: str | PathLike[str] | IO[bytes], what: str) -> Iterator[Npz]:
    """Open a file of `what`; all that is wrong with it is a ValueError that names it.

    Of an OSError only the one for an impossible place in the file is the file's fault.
    """
    if not isinstance(file, (str, bytes, PathLike)):
        if not hasattr(file, "seek"):
            raise TypeError(f"a file or its path is wanted, not {type(file).__name__}")
        name = getattr(file, "name", None)
        with _named(f"{name}" if isinstance(name, str) else "the file", what):
            yield Npz(file)
        return
    with open(file, "rb") as stream, _named(os.fsdecode(file), what):
        yield Npz(stream)


@contextmanager
def _named(name: str, what: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        reason = str(error).partition("\n")[0][:_MOST_WORDS] or type(error).__name__
        raise ValueError(f"{name} is no {what}: {reason}") from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ValueError(f"{name} is no {what}: it refers to places outside it") from None
