"""What is refused, in words that name the remedy; nothing is written before all checks pass."""

import warnings
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from cpu_kernels import cpu_kernels

# any argument may be wrong here, so no type checker should look
ONLINE: Any = fs.online
OPERATIONS: tuple[Any, ...] = (
    fs.online, fs.log_softmax, fs.normalizer, fs.logsumexp, fs.scan
)  # fmt: skip
GOOD: Any = np.zeros((2, 3), dtype=np.float32)


class Tensor:
    """An array of another library, whose namespace is unknown."""

    def __dlpack__(self, **options: Any) -> None:
        """Refuse: it must not be asked, as its result couldn't be made the same kind."""
        raise AssertionError("nothing may be read from it")


class Subclass(np.ndarray):
    """An ndarray with ideas of its own; its data are plain."""


MASKED = np.ma.masked_array(GOOD, mask=GOOD > 0)
RECORDS = np.zeros(3, dtype=[("a", "f4"), ("b", "f4")])
# what is passed, the exception, words of its message
BAD_LOGITS: dict[str, tuple[object, type[Exception], str]] = {
    "0-d": (np.array(1.0, dtype=np.float32), ValueError, r"0-d.*at least one"),
    "scalar": (np.float64(1.0), ValueError, r"scalar.*at least one"),
    "int8": (np.zeros(3, dtype=np.int8), TypeError, r"int8.*fastsoftmax\.int8.*astype"),
    "uint8": (np.zeros(3, dtype=np.uint8), TypeError, r"uint8.*astype\(np\.float32\)"),
    "int64": (np.zeros(3, dtype=np.int64), TypeError, r"int64.*astype\(np\.float32\)"),
    "bool": (np.zeros(3, dtype=bool), TypeError, r"bool.*astype\(np\.float32\)"),
    "longdouble": (np.zeros(3, dtype=np.longdouble), TypeError, r"float32 or float64"),
    "complex": (np.zeros(3, dtype=complex), TypeError, r"float32 or float64, not complex128"),
    "text": (np.array(["a"]), TypeError, r"float32 or float64, not <U1"),
    "records": (RECORDS, TypeError, r"float32 or float64, not"),
    "dates": (np.zeros(3, dtype="M8[s]"), TypeError, r"float32 or float64, not datetime64"),
    "object": (np.array([1.0, 2.0], dtype=object), TypeError, r"object.*Python objects"),
    "list": ([1.0, 2.0], TypeError, r"list; pass np\.asarray\(logits, dtype=np\.float32\)"),
    "tuple": ((1.0, 2.0), TypeError, r"tuple; pass np\.asarray"),
    "number": (1.0, TypeError, r"float; pass np\.asarray"),
    "None": (None, TypeError, r"must be an? (NumPy )?array, not NoneType"),
    "string": ("logits", TypeError, r"must be an? (NumPy )?array, not str"),
    "bytes": (b"12345678", TypeError, r"must be an? (NumPy )?array, not bytes"),
    "memoryview": (memoryview(GOOD), TypeError, r"must be an? (NumPy )?array, not memoryview"),
    "tensor": (Tensor(), TypeError, r"Tensor.*pass np\.from_dlpack\(logits\)"),
    "masked": (MASKED, TypeError, r"MaskedArray.*pass logits\.data with mask=~logits\.mask"),
    "swapped f4": (GOOD.astype(">f4"), TypeError, r"byte order.*astype"),
    "swapped f8": (GOOD.astype(">f8"), TypeError, r"byte order.*astype"),
}
BAD_AXIS: dict[str, tuple[object, type[Exception], str]] = {
    "too large": (2, ValueError, r"axis 2 is out of range.*-2 to 1"),
    "too small": (-3, ValueError, r"axis -3 is out of range.*-2 to 1"),
    "huge": (2**70, ValueError, r"out of range"),
    "float": (1.0, TypeError, r"axis must be an integer, not 1\.0"),
    "None": (None, TypeError, r"axis must be an integer"),
    "tuple": ((0, 1), TypeError, r"axis must be an integer"),
    "text": ("1", TypeError, r"axis must be an integer"),
    "bool": (True, TypeError, r"axis must be an integer"),
}
READ_ONLY = GOOD.copy()
READ_ONLY.setflags(write=False)
BAD_OUT: dict[str, tuple[object, type[Exception], str]] = {
    "shape": (np.zeros((3, 2), np.float32), ValueError, r"out has shape \(3, 2\).*\(2, 3\)"),
    "dimensions": (np.zeros(6, np.float32), ValueError, r"out has shape \(6,\).*\(2, 3\)"),
    "would broadcast": (np.zeros((1, 2, 3), np.float32), ValueError, r"out has shape"),
    "dtype": (np.zeros((2, 3)), TypeError, r"out has dtype.*f8.*f4"),
    "byte order": (np.zeros((2, 3), ">f4"), TypeError, r"out has dtype >f4"),
    "integer": (np.zeros((2, 3), np.int32), TypeError, r"out has dtype.*i4.*f4"),
    "read-only": (READ_ONLY, ValueError, r"read-only"),
    "broadcast": (np.broadcast_to(np.float32(0), (2, 3)), ValueError, r"read-only"),
    "list": ([[0.0] * 3] * 2, TypeError, r"out must be an array.*list"),
    "tuple of out": ((GOOD.copy(),), TypeError, r"out must be an array.*tuple"),
    "masked": (MASKED.copy(), TypeError, r"out must be an array.*MaskedArray"),
    "tensor": (Tensor(), TypeError, r"out is a .*Tensor"),
}


def cases(table: dict[str, tuple[object, type[Exception], str]]) -> list[Any]:
    """Turn a table into parameters."""
    return [pytest.param(*row, id=name) for name, row in table.items()]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("logits", "error", "words"), cases(BAD_LOGITS))
def test_logits(operation: Any, logits: object, error: type[Exception], words: str) -> None:
    """Everything but a plain native float array of at least one dimension."""
    with pytest.raises(error, match=words):
        operation(logits)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("axis", "error", "words"), cases(BAD_AXIS))
def test_axis(operation: Any, axis: object, error: type[Exception], words: str) -> None:
    """Out of range, or no integer."""
    with pytest.raises(error, match=words):
        operation(GOOD, axis=axis)


@pytest.mark.parametrize(("out", "error", "words"), cases(BAD_OUT))
def test_out(out: object, error: type[Exception], words: str) -> None:
    """An `out` that can't take the result."""
    before = np.array(out, dtype=object if isinstance(out, Tensor) else None)
    with pytest.raises(error, match=words):
        ONLINE(GOOD, out=out)
    if not isinstance(out, Tensor):
        assert np.array_equal(np.asarray(out), before)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_variant(operation: Any) -> None:
    """An unknown one is refused with the list of those that the operation has."""
    for name in ("sr9", "", "EXACT", "exact "):
        with pytest.raises(ValueError, match="unknown variant") as refused:
            operation(GOOD, name)
        for variant in fs.variants(operation.__name__):
            assert variant in str(refused.value)
    for thing in (None, 3, b"exact", ["exact"]):
        with pytest.raises(TypeError, match="variant must be a string"):
            operation(GOOD, thing)
        if thing is not None:
            with pytest.raises(TypeError, match="isa must be a string"):
                operation(GOOD, isa=thing)
    with pytest.raises(ValueError, match="surrogates not allowed"):
        operation(GOOD, "\ud800")


def test_variant_of_another_operation() -> None:
    """The raw recurrences exist in `scan` alone."""
    for variant in set(fs.variants("scan")) - set(fs.variants()):
        with pytest.raises(ValueError, match=r"unknown variant.*there are: exact"):
            ONLINE(GOOD, variant)


def test_variant_without_the_dtype() -> None:
    """float64 knows few variants: the message says which."""
    known = {k.variant for k in cpu_kernels() if (k.op, k.dtype) == ("online", "float64")}
    for variant in set(fs.variants()) - known:
        with pytest.raises(ValueError, match=f"'{variant}' of online has no float64.*'exact'"):
            ONLINE(GOOD.astype(np.float64), variant)


def test_unknown_operation_and_keyword() -> None:
    """A typo in a keyword isn't passed over; variants() lists the operations."""
    with pytest.raises(ValueError, match=r"no operation is called 'softmin'.*online"):
        fs.variants("softmin")
    for operation in OPERATIONS:
        with pytest.raises(TypeError, match="unexpected keyword"):
            operation(GOOD, axes=0)
        with pytest.raises(TypeError, match="positional"):
            operation(GOOD, "exact", 0)
        with pytest.raises(TypeError, match="logits"):
            operation()


@pytest.mark.parametrize("logits", [GOOD, GOOD.view(Subclass), GOOD[:, ::-1]])
def test_nothing_is_written_before_the_checks(logits: np.ndarray) -> None:
    """A good `out` stays as it is when another argument is wrong, whichever path is taken."""
    refused = {"isa": "nonsense", "axis": 7, "variant": "nonsense"}
    for out in (np.full((2, 3), 5, np.float32), np.full((3, 2), 5, np.float32).T):
        for name, value in refused.items():
            with pytest.raises(ValueError, match=r"nonsense|out of range"):
                ONLINE(logits, out=out, **{name: value})
            assert (out == 5).all()
    held = np.array(logits)
    for name, value in refused.items():  # in place, too
        with pytest.raises(ValueError, match=r"nonsense|out of range"):
            ONLINE(held, out=held, **{name: value})
        assert np.array_equal(held, logits)


def test_out_that_changes_its_shape_when_it_warns() -> None:
    """A warning runs Python: what was read before it may no longer hold."""
    memory = np.zeros(64, dtype=np.float32)
    out = np.broadcast_arrays(memory[:6], np.empty((1, 6), np.float32))[0]  # warns when written

    def reshape(*_: object, **__: object) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy 2.5 warns of this, too
            out.shape = (6,)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = reshape
        with pytest.raises(ValueError, match="out has shape"):
            ONLINE(np.zeros((6, 4), np.float32), out=out)
    assert out.shape == (6,), "no warning came"
    assert not memory.any()


def test_what_is_accepted() -> None:
    """Integers of NumPy as axis; subclasses as data, with a plain result."""
    wanted = ONLINE(GOOD, axis=0)
    assert np.array_equal(ONLINE(GOOD, axis=np.int64(0)), wanted)
    result = ONLINE(GOOD.view(Subclass), axis=0)
    assert type(result) is np.ndarray
    assert np.array_equal(result, wanted)
    out = np.zeros_like(GOOD).view(Subclass)
    assert ONLINE(GOOD, axis=0, out=out) is out
    assert np.array_equal(out, wanted)
