"""The names by which the outside knows what the package offers."""

from typing import Any


def publish(namespace: dict[str, Any]) -> None:
    """Let all that a module offers say that it comes from there, not from where its code lies.

    Pickles, reprs and tracebacks name that place, so the code may move without breaking them.
    """
    package = __name__.partition(".")[0]
    for name in namespace["__all__"]:
        value: Any = namespace.get(name)  # none of a module that is loaded when it is first named
        if getattr(value, "__module__", "").startswith(f"{package}."):
            value.__module__ = namespace["__name__"]
