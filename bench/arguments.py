"""What may be asked on the command line; only the standard library, so that it can be read first.

The libraries take their number of threads from the environment when they are imported, so the
command line is read before any of them.
"""

import argparse
import re
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
MOST_THREADS = 256


def _shape(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,8})x([1-9]\d{0,8})", text)
    if not found or int(found[1]) * int(found[2]) > 1 << 28:
        raise argparse.ArgumentTypeError(
            f"a shape is ROWSxCOLUMNS, such as 1024x128, with at most 2^28 elements; not {text!r}"
        )
    return int(found[1]), int(found[2])


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,2}", text) or int(text) > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MOST_THREADS}, not {text!r}")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser(
        prog="bench/run.py",
        description="Speed and error of fastsoftmax on one CPU, on one thread unless told.",
    )
    made.add_argument(
        "--list", action="store_true", help="show cases, variants and ISAs, then stop"
    )
    repeated = (
        ("--case", str, "NAME", "run this case, or all members of this group"),
        (
            "--only",
            str,
            "PATTERN",
            "of the cases, those of such a name: axes, int8*",
        ),
        ("--variant", str, "NAME", "this variant of exp"),
        ("--isa", str, "NAME", "this instruction set"),
        ("--shape", _shape, "RxC", "rows of this shape instead of the case's own"),
    )
    for flag, kind, name, text in repeated:
        made.add_argument(
            flag,
            type=kind,
            metavar=name,
            action="append",
            default=[],
            help=f"{text} (may be repeated)",
        )
    made.add_argument(
        "--quick", action="store_true", help="fewer shapes and samples, a minute, 40 lines"
    )
    made.add_argument(
        "--full", action="store_true", help="print every table, after a quick run, too"
    )
    made.add_argument(
        "--against",
        type=Path,
        metavar="SITE_PACKAGES",
        help="compare this build with the one in that folder, ten minutes at most; status 1 if "
        "anything is slower; --variant and --isa choose kernels, and --only does by their names",
    )
    made.add_argument(
        "--runs",
        type=_count,
        metavar="N",
        help="group peers: measure all N times and show the better one (2; quick: 1)",
    )
    made.add_argument(
        "--threads", type=_count, metavar="N", default=1, help="threads of every library (1)"
    )
    made.add_argument(
        "--aligned",
        action="store_true",
        help="group peers: arrays at multiples of 64 bytes, as XNNPACK and JAX have in any case",
    )
    made.add_argument(
        "--cpu-time",
        action="store_true",
        help="CPU time, for a machine that others use, too; with one thread",
    )
    made.add_argument(
        "--json", type=Path, metavar="FILE", help="also write machine, command and rows"
    )
    made.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write the tables in Markdown"
    )
    made.add_argument("--pictures", action="store_true", help="also draw (needs matplotlib)")
    made.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=RESULTS,
        help="folder of the pictures (bench/results)",
    )
    return made
