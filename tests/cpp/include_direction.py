"""Checks that includes point downwards only.

    python include_direction.py ROOT

From the ground up: cpp/include, cpp/common, cpp/vec, cpp/kernels, cpp/dispatch, cpp/api; cuda/
stands on the first three, as one more ISA does. The modules of python/fastsoftmax stand on
everything. An include that names no file of the repository must be one that the build writes.
"""

import posixpath
import re
import sys
from collections.abc import Mapping
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
GROUND = ("include", "common", "vec")
BELOW = {
    "include": (),
    "common": ("include",),
    "vec": ("include", "common"),
    "kernels": GROUND,
    "dispatch": (*GROUND, "kernels"),
    "api": (*GROUND, "kernels", "dispatch"),
    "cuda": GROUND,  # by name: a folder
}
#: Written into the build tree by the generator and CMake.
WRITTEN = {"surrogates.hpp", "surrogates.def", "surrogates_c.def", "isas.def"}
#: What a file takes where the host compiler builds kernels for tests.
HOST = ("hostcuda.hpp", "cuda/device/compat.cuh")
#: The table, from which CUDA reads its variants, too.
TABLE = "cpp/kernels/kernels.def"
#: Where an include is looked for, from the root.
ROOTS = ("", "cpp/", "cpp/include/")


def layer(path: str) -> str:
    """Name the layer of a file: the folder below cpp, or cuda."""
    parts = path.split("/")
    return parts[1] if parts[0] == "cpp" else parts[0]


def violations(sources: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the includes of sources: texts by their path from the root."""
    found = []
    for path, text in sources.items():
        for name in INCLUDE.findall(text):
            beside = posixpath.normpath(f"{posixpath.dirname(path)}/{name}")
            target = next((p for p in (beside, *(r + name for r in ROOTS)) if p in sources), None)
            if target is None:
                if name not in WRITTEN and (name, path) != HOST:
                    found.append(f'{path} includes "{name}", which is no file here')
                continue
            own, its = layer(path), layer(target)
            if target == TABLE and own == "cuda":  # by name: a folder
                continue
            if own != "python" and its != own and its not in BELOW[own]:
                found.append(f"{path} ({own}) includes {target} ({its}), which isn't below it")
    return found


def main(root: Path) -> int:
    """Check the repository at `root`; print what is wrong."""
    planted = {"cpp/common/a.hpp": '#include "kernels/b.hpp"\n', "cpp/kernels/b.hpp": ""}
    assert violations(planted), "a planted include from common to kernels isn't found"
    assert violations({"cuda/rows/a.cu": '#include "lost.hpp"\n'}), "a lost include isn't found"
    sources = {
        str(path.relative_to(root)): path.read_text()
        for folder in ("cpp", "cuda", "python/fastsoftmax")  # by name: folders
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".hpp", ".cpp", ".cuh", ".cu", ".def"}
    }
    layers = {layer(path) for path in sources}
    missing = (BELOW.keys() | {"python"}) - layers
    found = [f"no source found for {name}" for name in sorted(missing)] + violations(sources)
    print("\n".join(found) or f"{len(sources)} sources, all includes point downwards")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
