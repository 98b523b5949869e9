"""The variants that CUDA's sources list, as the host's preprocessor expands them."""

import re
import subprocess
from pathlib import Path

from hostcuda_build import compiler

#: A row of each list: its source from the root of a checkout, and what stands before the type.
ROWS = r"rows_of_any_dtype<(.+)>\(\),"
LISTS = {
    "rows": (("cuda/rows/hand_written.cu", "cuda/rows/mixed.cu", "cuda/rows/surrogate.cu"), ROWS),
    "scan": (("cuda/scan/launch.cu",), r"\{(.+)::info\(\), scan<"),
}


def expanded(source: Path, *include: Path) -> str:
    """Preprocess a source; folders that come first win."""
    folders = [f"-I{folder}" for folder in include]
    command = [*compiler("plain"), "-std=c++20", "-E", "-P", "-x", "c++", *folders, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return done.stdout


def cuda_variants(root: Path, *include: Path) -> dict[str, list[str]]:
    """List the types of variants that CUDA has in each operation, `exact` rows apart."""
    own = (root, root / "cpp", root / "cpp/include", root / "tests/hostcuda")
    return {
        operation: [
            variant
            for source in sources
            for variant in re.findall(f"^{row}", expanded(root / source, *include, *own), re.M)
        ]
        for operation, (sources, row) in LISTS.items()
    }
