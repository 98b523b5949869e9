#!/usr/bin/env bash
# Builds the wheel for every CUDA architecture that releases carry, with PTX of the last, and checks
# what CI checks for one alone: no kernel spills, bulk data moves by 128 bits, the wheel has at most
# 5 MB. Takes some minutes; needs nvcc >= 12.8 and an environment with '.[cuda-dev]' and build tools.
#
#     tools/cuda_all_architectures.sh [FOLDER FOR THE WHEEL]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-dist}
architectures=(75 80 86 89 90 100 120)

flags=()
for architecture in "${architectures[@]}"; do
    flags+=(--arch "$architecture")
done
python bench/machine_code/report.py --check "${flags[@]}"

last=${architectures[-1]}
list=$(printf '%s-real;' "${architectures[@]}")${last}-virtual
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
python -m pip wheel . --no-deps --wheel-dir "$folder" \
    -C build-dir="$build" \
    -C cmake.define.FASTSOFTMAX_CUDA=ON \
    -C cmake.define.FASTSOFTMAX_CUDA_ARCHITECTURES="$list"
wheel=$(ls -t "$folder"/fastsoftmax-*.whl | head -n 1)
size=$(stat -c %s "$wheel")
echo "$wheel: $size bytes for ${architectures[*]} and PTX of $last"
((size <= 5000000)) || { echo "the wheel has more than 5 MB" >&2; exit 1; }
