"""The command line of the benchmark: what may be asked, and what is done with it."""

import argparse
import re
import shlex
import sys
import time
from pathlib import Path

import machine
import report
import timing
from cases import CASES
from data_sets import Shape
from study import Options, Progress, runnable

RESULTS = Path(__file__).parent / "results"


def _shape(text: str) -> Shape:
    found = re.fullmatch(r"([1-9]\d{0,8})x([1-9]\d{0,8})", text)
    if not found or int(found[1]) * int(found[2]) > 1 << 28:
        raise argparse.ArgumentTypeError(
            f"a shape is ROWSxCOLUMNS, such as 1024x128, with at most 2^28 elements; not {text!r}"
        )
    return int(found[1]), int(found[2])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench/run.py",
        description="Speed and error of fastsoftmax, on one CPU and one thread.",
    )
    parser.add_argument(
        "--list", action="store_true", help="show cases, variants and ISAs, then stop"
    )
    repeated = (
        ("--case", str, "NAME", "run this case"),
        ("--variant", str, "NAME", "this variant of exp"),
        ("--isa", str, "NAME", "this instruction set"),
        ("--shape", _shape, "RxC", "rows of this shape instead of the case's own"),
    )
    for flag, kind, name, text in repeated:
        parser.add_argument(
            flag,
            type=kind,
            metavar=name,
            action="append",
            default=[],
            help=f"{text} (may be repeated)",
        )
    parser.add_argument(
        "--quick", action="store_true", help="fewer shapes and samples: a minute at most"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write machine, command and rows"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write the tables in Markdown"
    )
    parser.add_argument("--pictures", action="store_true", help="also draw (needs matplotlib)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=RESULTS,
        help="folder of the pictures (bench/results)",
    )
    return parser


def _names(case_names: list[str]) -> dict[str, list[str]]:
    """Everything that can be chosen here, in the order of the library's table."""
    operations = {operation for name in case_names for operation in CASES[name].operations}
    kernels = runnable(sorted(operations))
    return {
        "case": list(CASES),
        "variant": list(dict.fromkeys(kernel.variant for kernel in kernels)),
        "ISA": list(dict.fromkeys(kernel.isa for kernel in kernels)),
    }


def _unknown(chosen: dict[str, list[str]], known: dict[str, list[str]]) -> str | None:
    for what, names in chosen.items():
        for name in names:
            if name not in known[what]:
                return f"unknown {what} {name!r} here; there are: {', '.join(known[what])}"
    return None


def _list() -> str:
    cases = [f"  {case.name:8} {case.summary}" for case in CASES.values()]
    names = _names(list(CASES))
    return "\n".join(
        [
            "cases",
            *cases,
            "variants",
            "  " + " ".join(names["variant"]),
            "ISAs",
            "  " + " ".join(names["ISA"]),
        ]
    )


def main(arguments: list[str]) -> int:
    """Run what `arguments` ask for; return the exit status, 2 for a request that can't be met."""
    asked = _parser().parse_args(arguments)
    if asked.list:
        print(_list())
        return 0
    chosen = {"case": asked.case, "variant": asked.variant, "ISA": asked.isa}
    problem = _unknown(chosen, _names(list(CASES)))
    if problem:
        print(f"bench/run.py: {problem}", file=sys.stderr)
        return 2
    for file in (asked.json, asked.markdown):
        if file and not file.parent.is_dir():
            print(
                f"bench/run.py: there is no folder {file.parent} for {file.name}", file=sys.stderr
            )
            return 2
    described = machine.describe()
    timing.pin_to_one_cpu()
    heading = machine.heading(described)
    print(heading, flush=True)
    options = Options(asked.quick, tuple(asked.variant), tuple(asked.isa), tuple(asked.shape))
    tables = _run(asked.case or list(CASES), options)
    if not tables:
        print(
            "bench/run.py: none of these cases has that variant on that ISA; see --list",
            file=sys.stderr,
        )
        return 2
    command = shlex.join(["python", "bench/run.py", *_without_files(arguments)])
    _write(asked.json, asked.markdown, described, heading, command, tables)
    return _draw(asked.out, heading) if asked.pictures else 0


def _without_files(arguments: list[str]) -> list[str]:
    """Leave out where results went: the command that a reader repeats."""
    kept = []
    words = iter(arguments)
    for word in words:
        flag, equals, _ = word.partition("=")
        if flag not in ("--json", "--markdown", "--out"):
            kept.append(word)
        elif not equals:
            next(words)
    return kept


def _run(names: list[str], options: Options) -> dict[str, list[report.Table]]:
    """Run the cases one after another and print each as it ends."""
    tables: dict[str, list[report.Table]] = {}
    for name in dict.fromkeys(names):
        begun = time.monotonic()
        found = CASES[name].run(options, Progress(name))
        if not found:
            print(f"{name}: has nothing of this choice", file=sys.stderr)
            continue
        tables[name] = found
        for table in found:
            print("\n" + report.as_text(table), flush=True)
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
    return tables


def _write(
    as_json: Path | None,
    as_markdown: Path | None,
    described: dict[str, object],
    heading: str,
    command: str,
    tables: dict[str, list[report.Table]],
) -> None:
    if as_json:
        report.write_json(as_json, described, command, tables)
    if as_markdown:
        blocks = [report.as_markdown(table) for found in tables.values() for table in found]
        text = "\n\n".join([f"`{command}`\\\n{heading.replace(chr(10), '; ')}", *blocks])
        as_markdown.write_text(text + "\n", encoding="utf-8")


def _draw(folder: Path, heading: str) -> int:
    try:
        import pictures
    except ModuleNotFoundError as missing:
        print(f"bench/run.py: no pictures: {missing}; pip install '.[bench]'", file=sys.stderr)
        return 2
    for path in pictures.draw(folder, heading):
        print(f"wrote {path}", file=sys.stderr)
    return 0
