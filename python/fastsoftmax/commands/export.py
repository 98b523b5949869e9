"""``python -m fastsoftmax export``: a freestanding C header with constants and kernel."""

import argparse
import sys
from pathlib import Path

from fastsoftmax import export
from fastsoftmax._files.replacing import replacing
from fastsoftmax.hccs import Params

NAME = "export"
HELP = "a freestanding C99 header for boards: hccs PARAMS, int8 --scale, or a surrogate"
_OPTIONS = {  # which of the options each kind of header takes; surrogates take the name alone
    "hccs": ("params", "mode", "out_dtype", "name"),
    "int8": ("scale", "table", "entries", "out_dtype", "name"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("what", help="hccs, int8, or one of: " + ", ".join(export.surrogates()))
    parser.add_argument("params", nargs="?", help="hccs: file that Params.save wrote")
    parser.add_argument("--lang", choices=["c"], default="c", help="language; C99")
    parser.add_argument("-o", "--output", type=Path, help="file to write; else standard output")
    parser.add_argument("--mode", help="hccs: as in hccs.softmax; by default that of the params")
    parser.add_argument("--scale", type=float, nargs="+", help="int8: nats a step, of each head")
    parser.add_argument("--table", help="int8: bits of the table's entries, as in int8.softmax")
    parser.add_argument("--entries", help="int8: entries of the table, or auto")
    parser.add_argument("--out-dtype", help="hccs in mode wide, int8: int16 or uint8")
    parser.add_argument("--name", help="what the names in the header begin with")


def run(arguments: argparse.Namespace) -> None:
    """Write the header; end with status 2 and one sentence, and write nothing, if that fails."""
    try:
        text = _text(arguments)
        if arguments.output is None:
            sys.stdout.write(text)
        else:
            with replacing(arguments.output) as file:
                file.write(text.encode())
    except (OSError, TypeError, ValueError) as error:
        print(f"python -m fastsoftmax export: {error}", file=sys.stderr)
        sys.exit(2)


def _text(arguments: argparse.Namespace) -> str:
    what = str(arguments.what)
    takes = _OPTIONS.get(what, ("name",))
    every = dict.fromkeys(option for options in _OPTIONS.values() for option in options)
    given = {option: value for option in every if (value := getattr(arguments, option)) is not None}
    for option in given:
        if option not in takes:
            shown = "a params.json" if option == "params" else f"--{option.replace('_', '-')}"
            raise ValueError(f"{what} takes no {shown}")
    if what == "hccs":
        if "params" not in given:
            raise ValueError("hccs needs the file of its parameters: export hccs params.json")
        return export.hccs(Params.load(given.pop("params")), **given)
    if what == "int8":
        if "scale" not in given:
            raise ValueError("int8 needs its scale: export int8 --scale 0.11")
        if str(given.get("entries", "")).isdecimal():
            given["entries"] = int(given["entries"])
        return export.int8(given.pop("scale"), **given)
    return export.surrogate(what, **given)
