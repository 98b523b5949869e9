"""Judge the CUDA kernels without a GPU: registers, spills, and what binds them, from machine code.

    python bench/machine_code/report.py                    a table for sm_90
    python bench/machine_code/report.py --arch 100 --markdown gpu.md
    python bench/machine_code/report.py --check --arch 75  fails on a spill or a narrow bulk access

Needs nvcc and the tools of the extra `cuda-dev`. Counts move with every nvcc: they are reported,
only spills and widths are checked. sass.py says which instructions are counted for an element.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import sass

ROOT = Path(__file__).resolve().parents[2]
KERNELS = ROOT / "cuda"  # by name: a folder

# Lanes a clock and SM. CUDA C++ Programming Guide, "Arithmetic Instructions: throughput of native
# arithmetic instructions" (compute capability 9.0 and 10.0 agree here); loads and stores: 32 lanes.
LANES = {
    "issue": 128, "fma": 128, "half": 128, "imad": 64, "alu": 64, "special": 16, "convert": 64,
    "shuffle": 32, "reduce": 16, "memory": 32, "fp64": 64,
}  # fmt: skip


@dataclass(frozen=True)
class Gpu:
    """What bounds a kernel: SMs, clock in Hz, bytes a second, bf16 matrix products in flop/s."""

    sms: int
    clock: float
    bandwidth: float
    matrix: float

    @property
    def bytes_per_clock(self) -> float:
        """Of global memory, for each SM."""
        return self.bandwidth / self.sms / self.clock


# NVIDIA's data sheets (H100 SXM: 132 SMs, 3.35 TB/s, 989 TFLOP/s dense bf16; B200: 148 SMs, 8 TB/s,
# 2.25 PFLOP/s) at boost clocks of 1.83 and 1.85 GHz; under load clocks are lower, and memory binds
# more.
GPUS = {
    "H100": Gpu(132, 1.83e9, 3.35e12, 989e12),
    "B200": Gpu(148, 1.85e9, 8.0e12, 2250e12),
}
# Warps of an SM by compute capability: same guide, "Technical Specifications"
WARPS = {"75": 32, "86": 48, "89": 48, "120": 48}

#: Kernels whose bulk accesses are narrower, by a part of their name, and why that is right.
NARROW: dict[str, str] = {
    "scan<": "a thread for each sequence: the 32 lanes of a warp read 128 bytes side by side",
    "heinsen_start<": "writes a state once",
    "heinsen<": "columns of the state lie across the lanes; tokens are few",
    "heinsen_log<": "as heinsen",
}


@dataclass
class Resources:
    """What ptxas says of a kernel."""

    registers: int
    spilled: int
    stack: int
    shared: int


@dataclass
class Report:
    """One kernel on one architecture."""

    name: str
    resources: Resources
    kernel: sass.Kernel

    @property
    def item(self) -> int:
        """Bytes of a result, from the types in the name; float where it is chosen at run time."""
        for kind, size in (("double", 8), ("float16", 2), ("unsigned char", 1), ("short", 2)):
            if re.search(rf"\bb?{kind}\b", self.name):
                return size
        return 4

    def elements(self, loaded: int, stored: int) -> float:
        """Elements of a part: int8 kernels read masks by whole chunks, too, so results count."""
        return (stored if self.name.startswith("int8") else max(loaded, stored)) / self.item

    def parts(self) -> list[tuple[str, list[sass.Instruction]]]:
        """Give the way through each inner loop that moves bulk data; without, that of a row."""
        loops = [self.kernel.way(loop) for loop in self.kernel.loops]
        moving = [("loop", way) for way in loops if sass.bulk_bytes(way)]
        return moving or [("row", self.kernel.way())]

    def occupancy(self, arch: str) -> float:
        """Share of an SM's warps that the registers leave."""
        warps = WARPS.get(arch, 64)
        return min(65536 // (32 * max(self.resources.registers, 16)), warps) / warps


@dataclass
class Count:
    """Instructions of one part for one element, and the clocks of an SM they take at least."""

    elements: float
    instructions: float
    special: float
    fma: float
    loaded: int
    stored: int
    clocks: dict[str, float]

    @property
    def binds(self) -> str:
        """Pipe that takes longest."""
        return max(self.clocks, key=lambda pipe: self.clocks[pipe])


def count(part: list[sass.Instruction], report: Report) -> Count | None:
    """Count a part; None where it moves no whole chunks."""
    wide = [i for i in part if i.width == 16]
    loaded, stored = sass.moved(wide, "LDG"), sass.moved(wide, "STG")
    elements = report.elements(loaded, stored)
    if not elements:
        return None
    by_pipe = sass.pipes(part)
    clocks = {pipe: by_pipe[pipe] / LANES[pipe] / elements for pipe in LANES if by_pipe[pipe]}
    issued = sum(n for pipe, n in by_pipe.items() if pipe != "uniform")
    clocks["issue"] = issued / LANES["issue"] / elements
    special = sum(i.name.startswith("MUFU.EX2") for i in part)
    return Count(
        elements,
        len(part) / elements,
        special / elements,
        by_pipe["fma"] / elements,
        loaded,
        stored,
        clocks,
    )


def tool(name: str) -> str:
    """Path of a program of the toolkit, from the extra's packages or the PATH."""
    packages = Path(sysconfig.get_path("purelib")) / "nvidia"
    found = sorted(packages.glob(f"*/bin/{name}"))
    path = str(found[0]) if found else shutil.which(name)
    if path is None:
        raise SystemExit(
            f"bench/machine_code/report.py: no {name} here; pip install '.[cuda-dev]', nvcc"
        )
    return path


def compile_one(source: Path, arch: str, folder: Path) -> tuple[Path, str]:
    """Compile a launcher; return its cubin and what ptxas told."""
    cubin = folder / f"{source.parent.name}-{source.stem}.{arch}.cubin"
    flags = [
        "-std=c++20",
        "-fmad=false",
        "-ftz=true",
        f"-arch=sm_{arch}",
        "-cubin",
        "-Xptxas=-v",
        "-w",
    ]
    include = [f"-I{path}" for path in (ROOT, ROOT / "cpp", ROOT / "cpp/include", folder)]
    done = subprocess.run(
        [tool("nvcc"), *flags, *include, source, "-o", cubin], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return cubin, done.stdout + done.stderr


def resources(log: str) -> dict[str, Resources]:
    """Read what ptxas tells of each kernel."""
    found = {}
    for part in log.split("Compiling entry function '")[1:]:

        def number(pattern: str, text: str = part) -> int:
            match = re.search(pattern, text)
            return int(match[1]) if match else 0

        found[part.partition("'")[0]] = Resources(
            number(r"Used (\d+) registers"),
            number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
            number(r"(\d+) bytes stack frame"),
            number(r"(\d+) bytes smem"),
        )
    return found


def plain(mangled: list[str]) -> list[str]:
    """Names as they are written in the sources, without namespaces and arguments."""
    names = mangled
    if filt := shutil.which("c++filt"):
        names = subprocess.run(
            [filt], input="\n".join(mangled), capture_output=True, text=True, check=True
        ).stdout.splitlines()
    short = []
    for name in names:
        name = re.sub(r"\(anonymous namespace\)::|\b\w+::", "", name)
        name = re.sub(r"\(\w+\)(-?\d+)", r"\1", name)  # numbers of enumerations
        short.append(re.sub(r"^void |\(.*$", "", name))
    return short


def reports(archs: list[str]) -> dict[str, list[Report]]:
    """Compile everything for each architecture and look at it."""
    sources = sorted(KERNELS.rglob("*.cu"))
    if not sources:
        raise SystemExit(f"bench/machine_code/report.py: no .cu file lies in {KERNELS}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate = ROOT / "cpp" / "surrogates" / "generate.py"
        text = generate.with_name("surrogates.toml")
        subprocess.run([sys.executable, "-B", generate, text, "--out", folder], check=True)
        jobs = [(source, arch) for arch in archs for source in sources]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            compiled = list(pool.map(lambda job: compile_one(job[0], job[1], folder), jobs))
        found: dict[str, list[Report]] = {arch: [] for arch in archs}
        for (_, arch), (cubin, log) in zip(jobs, compiled, strict=True):
            listing = subprocess.run(
                [tool("nvdisasm"), "-c", cubin], capture_output=True, text=True, check=True
            ).stdout
            used, kernels = resources(log), sass.parse(listing)
            for mangled, short in zip(used, plain(list(used)), strict=True):
                found[arch].append(Report(short, used[mangled], kernels[mangled]))
    return found


COLUMNS = (
    "kernel", "registers", "occupancy", "shared", "part", "instr", "EX2", "FMA", "load", "store",
    "binds", *(f"{name}: margin" for name in GPUS),
)  # fmt: skip


def rows(report: Report, arch: str) -> list[list[str]]:
    """Lines of the table for one kernel."""
    used = report.resources
    left = [report.name, str(used.registers), f"{report.occupancy(arch):.0%}", str(used.shared)]
    lines = []
    for what, part in report.parts():
        counted = count(part, report)
        if counted is None:
            continue
        moved = (counted.loaded + counted.stored) / counted.elements
        slowest = counted.clocks[counted.binds]
        margins = [f"{moved / gpu.bytes_per_clock / slowest:.1f}" for gpu in GPUS.values()]
        figures = [f"{x:.2f}" for x in (counted.instructions, counted.special, counted.fma)]
        widths = [str(counted.loaded), str(counted.stored)]
        lines.append([*left, what, *figures, *widths, counted.binds, *margins])
    return lines or [[*left, "-", *[""] * (len(COLUMNS) - 5)]]


def table(found: dict[str, list[Report]]) -> str:
    """Everything as Markdown."""
    lines = []
    for arch, kernels in found.items():
        lines += [f"sm_{arch}", "", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
        for report in sorted(kernels, key=lambda r: r.name):
            lines += [f"| {' | '.join(line)} |" for line in rows(report, arch)]
        lines.append("")
    return "\n".join(lines)


def problems(found: dict[str, list[Report]]) -> list[str]:
    """Spills, and kernels without 128-bit accesses that nobody has excused."""
    said = []
    for arch, kernels in found.items():
        for report in kernels:
            if report.resources.spilled:
                said.append(f"sm_{arch} {report.name} spills {report.resources.spilled} bytes")
            narrow = not sass.bulk_bytes(report.kernel.instructions)
            if narrow and not any(part in report.name for part in NARROW):
                said.append(f"sm_{arch} {report.name} has no 128-bit access of global memory")
    return said


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--arch", action="append", help="such as 90; may be repeated")
    parser.add_argument("--check", action="store_true", help="only look for spills and widths")
    parser.add_argument("--markdown", type=Path, help="write the table there")
    asked = parser.parse_args()
    found = reports(asked.arch or ["90"])
    if asked.check:
        said = problems(found)
        print("\n".join(said) or f"{sum(map(len, found.values()))} kernels: no spill, 128 bits")
        return 1 if said else 0
    if asked.markdown:
        asked.markdown.write_text(table(found))
    else:
        print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
