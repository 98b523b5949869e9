"""The benchmark's modules, for its tests."""

import importlib

import pytest
from benched import Load
from repository import BENCH


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Import modules of the benchmark as its own scripts do."""
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module
