"""What ran the figures: the heading of every report."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import fastsoftmax as fs

LIBRARIES = (
    "numpy", "scipy", "torch", "onnxruntime", "ai-edge-litert", "openvino", "jax", "jaxlib",
)  # fmt: skip


def _cpu_model() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def describe() -> dict[str, object]:
    """Name the processor, its ISAs, the compiler and every version that matters."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = {name: found for name in LIBRARIES if (found := _version(name))}
    return {
        "cpu": _cpu_model(),
        "architecture": platform.machine(),
        "cores": cores,
        "isas": fs.isas(),
        "compiler": str(fs.info().get("compiler", "unknown")),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.system(),
        "fastsoftmax": fs.__version__,
        **versions,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def heading(machine: dict[str, object], threads: int = 1) -> str:
    """Write the machine in a few words, one line for the hardware and one for the software."""
    isas = machine["isas"]
    listed = ", ".join(isas) if isinstance(isas, list) else str(isas)
    software = ("python", "compiler", "fastsoftmax", *LIBRARIES)
    used = "one thread on one of them" if threads == 1 else f"{threads} threads"
    named = [
        f"{machine[key]}" if key in ("python", "compiler") else f"{key} {machine[key]}"
        for key in software
        if key in machine
    ]
    return (
        f"{machine['cpu']} ({machine['architecture']}), {machine['cores']} cores, "
        f"{used}; ISAs {listed}\n" + "; ".join(named) + f"; {machine['date']}"
    )
