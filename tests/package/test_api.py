"""The face of the package: signatures, docstrings, examples, types, imports."""

import doctest
import importlib
import inspect
import pickle
import pickletools
import pkgutil
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import numpy as np
import pytest
from fresh import output
from repository import ROOT

PACKAGE = Path(fs.__file__).parent
OPERATIONS = ("online", "log_softmax", "normalizer", "logsumexp", "topk", "scan")
ADAPTING = "logits, variant='exact', *, axis=-1, scale=1.0, mask=None, sink=None"
SCALED = "axis=-1, scale=1.0, mask=None"
SIGNATURES = {
    "online": f"({ADAPTING}, out=None, threads=None, stream=None, isa=None)",
    "log_softmax": f"({ADAPTING}, out=None, threads=None, stream=None, isa=None)",
    "normalizer": f"({ADAPTING}, threads=None, stream=None, isa=None)",
    "logsumexp": f"({ADAPTING}, threads=None, stream=None, isa=None)",
    "topk": f"(logits, k, *, {SCALED}, threads=None, stream=None, isa=None)",
    "scan": "(logits, variant='exact', *, axis=-1, threads=None, stream=None, isa=None)",
    "kernels": "()",
    "variants": "(op='online')",
    "isas": "(op=None, *, all=False)",
    "info": "()",
}
MODULES = {"hccs", "heinsen", "int8", "reference"}
#: What a module is for, if not for all users: it can't be imported without it.
EXTRAS = {
    "fastsoftmax.torch": "torch",
    "fastsoftmax.heinsen.torch": "torch",
    "fastsoftmax.heinsen._torch_gradient": "torch",
    "fastsoftmax.heinsen._torch_log_gradient": "torch",
}
PUBLIC = {*MODULES, *SIGNATURES, "softmax", "Kernel", "MaxSum", "__version__"}


def modules() -> list[str]:
    """Names of the package's Python modules; those in C++ have no doctests."""
    found = [m.name for m in pkgutil.walk_packages([str(PACKAGE)], "fastsoftmax.")]
    return ["fastsoftmax", *(name for name in found if not name.endswith("__main__"))]


def test_public_names() -> None:
    """What is promised, no more and no less."""
    assert set(fs.__all__) == PUBLIC
    assert all(hasattr(fs, name) for name in PUBLIC)
    assert fs.softmax is fs.online
    for operation in OPERATIONS:
        assert callable(getattr(fs.reference, operation))


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name: str) -> None:
    """Names, order, kinds and defaults of the arguments."""
    signature = inspect.signature(getattr(fs, name))
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    assert str(inspect.Signature(plain)) == SIGNATURES[name]
    assert signature.return_annotation is not signature.empty
    assert all(p.annotation is not p.empty for p in signature.parameters.values())


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_docstring(name: str) -> None:
    """Everything public says what it is."""
    text = inspect.getdoc(getattr(fs, name))
    assert text
    assert len(text.splitlines()[0]) <= 100


@pytest.mark.parametrize("name", OPERATIONS)
def test_docstring_of_operation(name: str) -> None:
    """Each argument, the result, the errors and an example, in this order."""
    text = inspect.getdoc(getattr(fs, name))
    assert text is not None
    heads = [
        text.find(f"\n{head}\n---") for head in ("Parameters", "Returns", "Raises", "Examples")
    ]
    assert -1 not in heads
    assert heads == sorted(heads)
    parameters = text[heads[0] : heads[1]]
    for argument in inspect.signature(getattr(fs, name)).parameters:
        assert argument in parameters
    assert ">>> " in text[heads[3] :]


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str) -> None:
    """Doctests give what they show."""
    if name in EXTRAS:
        pytest.importorskip(EXTRAS[name], reason=f"{name} needs {EXTRAS[name]}")
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_examples_exist() -> None:
    """A doctest run that found nothing would prove nothing."""
    names = [name for name in modules() if name not in EXTRAS]
    tried = [doctest.testmod(importlib.import_module(name)).attempted for name in names]
    assert sum(tried) >= 10


def test_pickles_name_public_places() -> None:
    """So that they can be read after modules behind the public names have moved."""
    stats = fs.hccs.HeadStats(0.1)
    stats.update(np.zeros((2, 3, 4)))
    state = fs.heinsen.State((), 2, 1).update(np.zeros(2, np.float32), np.zeros(1, np.float32))
    params = fs.hccs.Params(scale=0.1, B=600, S=9, Dmax=63, n=4)
    for value in (fs.kernels()[0], fs.MaxSum(), params, stats, state):
        data = pickle.dumps(value, 2)  # the last protocol that names a class in one word
        words = [str(word) for code, word, _ in pickletools.genops(data) if code.name == "GLOBAL"]
        ours = [word for word in words if word.startswith("fastsoftmax")]
        assert ours, words
        assert not any("._" in word or " _" in word for word in ours), ours
        assert type(pickle.loads(data)) is type(value)


def test_version() -> None:
    """One version: in the core, in the metadata, in pyproject.toml."""
    assert fs.__version__ == version("fastsoftmax") == fs.info()["fastsoftmax"]
    if (ROOT / "pyproject.toml").exists():
        project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert project["version"] == fs.__version__
        assert project["dependencies"][0].startswith("numpy")
        assert len(project["dependencies"]) == 1


def test_types_are_shipped() -> None:
    """Type checkers find the marker and the stub of the compiled module, which lists all of it."""
    assert (PACKAGE / "py.typed").exists()
    stub = (PACKAGE / "_core.pyi").read_text()
    for name in dir(fs._core):
        if not name.startswith("_"):
            assert f"def {name}(" in stub or f"{name}: " in stub, name
    if not PACKAGE.is_relative_to(ROOT):  # an editable install shows the sources
        assert not list(PACKAGE.glob("*.cpp"))


def test_imports_numpy_and_nothing_else() -> None:
    """No peer, plotting or test library comes along."""
    code = (
        "import sys, numpy; before = set(sys.modules); import fastsoftmax;"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before"
        " if not name.startswith('numpy.')} - sys.stdlib_module_names)"
    )
    assert output("-c", code).split() == ["fastsoftmax"]


def test_info() -> None:
    """What a bug report should contain."""
    info = fs.info()
    assert info["isas available"] == fs.isas()
    assert info["isas compiled"] == fs.isas(all=True)
    assert info["kernels"] == len(fs.kernels())
    assert all(info[key] for key in info)


def test_modules_for_few_are_loaded_when_they_are_named() -> None:
    """Softmax alone is imported soon; the others come with their names."""
    code = (
        "import sys, fastsoftmax as fs\n"
        "later = [name for name in fs.__all__ if f'fastsoftmax.{name}' not in sys.modules]\n"
        "assert 'hccs' in later and 'heinsen' in later and set(later) <= set(dir(fs)), later\n"
        "assert fs.hccs.Params and fs.heinsen.State\n"
        "print('fastsoftmax.hccs' in sys.modules)\n"
    )
    assert output("-c", code).strip() == "True"
