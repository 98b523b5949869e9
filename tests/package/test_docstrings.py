"""Public docstrings: each argument is told, and nothing that users don't have is named."""

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastsoftmax as fs
import pytest
from fastsoftmax._device.heinsen import DeviceState

PACKAGE = Path(fs.__file__).parent
SECTION = re.compile(r"^(\w+)\n-+\n((?:(?!^\w+\n-+\n)[\s\S])*)", re.MULTILINE)
#: What a module can't be imported without.
EXTRAS = {"torch": "torch", "threadpool": "threadpoolctl"}


def public_modules() -> list[str]:
    """Names of the modules that users import; the commands' face is the command line."""
    found = [module.name for module in pkgutil.walk_packages([str(PACKAGE)], "fastsoftmax.")]
    parts = {name: name.split(".")[1:] for name in found}
    public = [
        name
        for name, path in parts.items()
        if path[0] != "commands" and not any(part.startswith("_") for part in path)
    ]
    return ["fastsoftmax", *public]


def imported(name: str) -> Any:
    """Import a module, or skip where what it needs isn't installed."""
    extra = EXTRAS.get(name.rpartition(".")[2])
    if extra:
        pytest.importorskip(extra, reason=f"{name} needs {extra}")
    return importlib.import_module(name)


def functions(module: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield what is public in a module: a name, what takes the arguments, and what documents them.

    The arguments of a class are told by its own docstring.
    """
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value):
            yield name, value, value
        if not inspect.isclass(value):
            continue
        if is_ours(value.__init__):
            yield name, value.__init__, value
        for member, attribute in inspect.getmembers(value, inspect.isroutine):
            if not member.startswith("_") and is_ours(attribute):
                yield f"{name}.{member}", attribute, attribute


def is_ours(function: Any) -> bool:
    """Whether a function isn't one of a base class from elsewhere."""
    return str(getattr(function, "__module__", "")).startswith("fastsoftmax")


def sections(value: Any) -> dict[str, str]:
    """Sections of a docstring by their heads."""
    return dict(SECTION.findall(inspect.getdoc(value) or ""))


def told(section: str) -> list[str]:
    """Names of arguments that a section has entries for."""
    heads = [line for line in section.splitlines() if line and not line.startswith(" ")]
    names = [name for head in heads for name in head.split(" : ")[0].split(",")]
    return [name.strip() for name in names]


def check_arguments(name: str, function: Callable[..., Any], documented: Any) -> None:
    """See that the docstring names the arguments, all of them and no others."""
    arguments = [name for name in inspect.signature(function).parameters if name != "self"]
    if not arguments:
        return
    found = sections(documented)
    heads = ("Parameters", "Attributes")
    assert any(head in found for head in heads), f"{name} lacks Parameters: {', '.join(arguments)}"
    entries = [entry for head in heads for entry in told(found.get(head, ""))]
    missing = [argument for argument in arguments if argument not in entries]
    assert not missing, f"{name}: {missing}"
    unknown = set(told(found.get("Parameters", ""))) - set(arguments)
    assert not unknown, f"{name}: {unknown}"


@pytest.mark.parametrize("name", public_modules())
def test_arguments_are_told(name: str) -> None:
    """A section Parameters, or Attributes for fields, with the names of the signature."""
    module = imported(name)
    assert module.__all__
    for function in functions(module):
        check_arguments(*function)


@pytest.mark.parametrize("method", ["update", "attend", "step"])
def test_arguments_on_a_device_are_told(method: str) -> None:
    """Of what `State.on` promises."""
    function = getattr(DeviceState, method)
    check_arguments(f"DeviceState.{method}", function, function)


@pytest.mark.parametrize("name", sorted(str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py")))
def test_no_sources_are_cited(name: str) -> None:
    """Who installs a wheel has no C++ files: what they say is to be said in words."""
    assert re.findall(r"\S+\.(?:hpp|cpp|cuh?)\b", (PACKAGE / name).read_text()) == []


@pytest.mark.parametrize("name", public_modules())
def test_doctest_finds_the_examples(name: str) -> None:
    """It looks for them where a class says that it was made, and sees no methods there."""
    module = imported(name)
    for what, _, documented in functions(module):
        text = documented.__doc__ or ""
        if ">>> " in text:
            homes = {module, importlib.import_module(documented.__module__)}
            found = [
                test.docstring for home in homes for test in doctest.DocTestFinder().find(home)
            ]
            assert text in found, what
