"""Arrays that say they lie on a CUDA device and are host memory, with their own array library.

They go through DLPack, as those of torch and CuPy do, into the real binding code.
"""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

CUDA = 2  #: DLPack's number of CUDA devices
_KINDS = {"b": 6, "i": 0, "u": 1, "f": 2}  # of NumPy's dtypes, as DLPack's codes
_BFLOAT = 4


class _Device(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int32), ("number", ctypes.c_int32))


class _Dtype(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Managed(ctypes.Structure):
    """DLManagedTensor of DLPack before 1.0."""


_Deleter = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Managed))
_Managed._fields_ = (
    ("data", ctypes.c_void_p),
    ("device", _Device),
    ("ndim", ctypes.c_int32),
    ("dtype", _Dtype),
    ("shape", ctypes.POINTER(ctypes.c_int64)),
    ("strides", ctypes.POINTER(ctypes.c_int64)),
    ("byte_offset", ctypes.c_uint64),
    ("context", ctypes.c_void_p),
    ("deleter", _Deleter),
)
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

held: dict[int, Any] = {}  #: what consumers of capsules haven't given back


def _forget(managed: Any) -> None:
    held.pop(ctypes.addressof(managed.contents))


_give_back = _Deleter(_forget)


class Fake:
    """An array of this library: a NumPy array, a device, and the streams that were asked for."""

    def __init__(self, data: NDArray[Any], device: tuple[int, int] = (CUDA, 0)) -> None:
        self.data, self.device, self.streams = data, device, []  # type: ignore[var-annotated]

    @property
    def dtype(self) -> np.dtype[Any]:
        """As NumPy has it."""
        return self.data.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """As NumPy has it."""
        return self.data.shape

    def __setitem__(self, key: Any, value: "Fake") -> None:
        """Copy values."""
        self.data[key] = value.data

    def __array_namespace__(self) -> type["Library"]:
        """Functions for these arrays."""
        return Library

    def __dlpack_device__(self) -> tuple[int, int]:
        """Kind of device, and its number."""
        return self.device

    def __dlpack__(self, *, stream: int | None = None) -> Any:
        """Hand the memory out."""
        self.streams.append(stream)
        array = self.data
        kind = _BFLOAT if array.dtype.name == "bfloat16" else _KINDS[array.dtype.kind]
        extents = ctypes.c_int64 * array.ndim
        shape = extents(*array.shape)
        strides = extents(*(step // array.itemsize for step in array.strides))
        managed = _Managed(
            array.ctypes.data,
            _Device(*self.device),
            array.ndim,
            _Dtype(kind, 8 * array.itemsize, 1),
            shape,
            strides,
            0,
            None,
            _give_back,
        )
        held[ctypes.addressof(managed)] = (managed, shape, strides, array)
        return _new_capsule(ctypes.addressof(managed), b"dltensor", None)


class Library:
    """What the array API asks of a library, as far as results need it."""

    made: tuple[Fake, ...] = ()
    float32, float64, uint8, int16, int64 = np.float32, np.float64, np.uint8, np.int16, np.int64
    bool = np.bool_

    @classmethod
    def empty(cls, shape: tuple[int, ...], *, dtype: Any, device: tuple[int, int]) -> Fake:
        """Memory as unlike a result as can be, on cache lines as devices give it."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        room = np.full(size + 256, 0xFF, np.uint8)
        start = -room.ctypes.data % 256
        made = Fake(room[start : start + size].view(dtype).reshape(shape), device)
        cls.made += (made,)
        return made

    @classmethod
    def full(
        cls, shape: tuple[int, ...], value: float, *, dtype: Any, device: tuple[int, int]
    ) -> Fake:
        """One value everywhere."""
        made = cls.empty(shape, dtype=dtype, device=device)
        made.data[...] = value
        return made

    @classmethod
    def astype(cls, array: Fake, dtype: Any) -> Fake:
        """Copy in another dtype."""
        made = cls.empty(array.shape, dtype=dtype, device=array.device)
        made.data[...] = array.data
        return made

    @classmethod
    def asarray(cls, values: NDArray[Any], *, device: tuple[int, int]) -> Fake:
        """Copy to the device."""
        made = cls.empty(values.shape, dtype=values.dtype, device=device)
        made.data[...] = values
        return made

    @staticmethod
    def reshape(array: Fake, shape: tuple[int, ...]) -> Fake:
        """View where there is one."""
        return Fake(array.data.reshape(shape), array.device)

    @staticmethod
    def permute_dims(array: Fake, axes: tuple[int, ...]) -> Fake:
        """View."""
        return Fake(array.data.transpose(axes), array.device)
