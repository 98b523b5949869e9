"""Measure speed and error of every variant on every instruction set of this machine.

    python bench/run.py --list                     what there is
    python bench/run.py --quick                    every case: a minute and 40 lines at most
    python bench/run.py --quick --full             the same with all tables
    python bench/run.py --case rows --variant exact --shape 1024x128
    python bench/run.py --case error --json error.json --markdown error.md
    python bench/run.py --case peers --pictures    also draws into bench/results
    python bench/run.py --only halves              one member of the group peers
    python bench/run.py --against old/lib/python3.11/site-packages --only 'online/exact/*'

Everything runs on one CPU with one thread, unless --threads says otherwise.
"""

import os
import sys

import arguments

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "FASTSOFTMAX_NUM_THREADS",
    "NPROC",  # what XLA takes for the number of CPUs
)


def main() -> int:
    """Run the command line; return its exit status."""
    asked = arguments.parser().parse_args()
    for name in THREADS:
        os.environ[name] = str(asked.threads)
    os.environ["JAX_PLATFORMS"] = "cpu"  # where it would rather take an accelerator
    # Not before: the libraries read the environment when they are imported.
    try:
        import command_line
    except ModuleNotFoundError as missing:
        print(f"{missing}: run `pip install '.[bench]'` in the repository first", file=sys.stderr)
        return 2
    return command_line.main(asked, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
