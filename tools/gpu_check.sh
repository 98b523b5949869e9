#!/usr/bin/env bash
# Everything that needs a GPU, in at most 10 minutes: builds for the devices here, runs the tests on
# them, compute-sanitizer over a part of them, and the bench. Needs nvcc and an environment with
# PyTorch for CUDA and the extras `test`.
#
#     tools/gpu_check.sh [FOLDER FOR RESULTS]
set -euo pipefail
cd "$(dirname "$0")/.."
results=$(realpath "${1:-bench/results}")
mkdir -p "$results"
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

step() {
    local name=$1 limit=$2 start=$SECONDS
    shift 2
    printf '\n=== %s\n' "$name"
    timeout "$limit" "$@"
    printf '=== %s: %d s\n' "$name" $((SECONDS - start))
}

sanitizer() {
    if ! command -v compute-sanitizer >/dev/null; then
        echo "no compute-sanitizer here: skipped"
        return
    fi
    # one small test of each kind of kernel: a memory check slows them a hundredfold
    timeout 120 compute-sanitizer --error-exitcode 9 python -m pytest -q -x tests/device/test_gpu.py \
        -k small -p no:cacheprovider
}
export -f sanitizer

nvidia-smi --query-gpu=name,compute_cap,driver_version --format=csv
step "build" 240 python -m pip install --no-build-isolation --no-deps \
    -C cmake.define.FASTSOFTMAX_CUDA=ON .
(
    cd "$log" # not beside the sources, whose package isn't built
    python -m fastsoftmax info
)
step "tests" 150 python -m pytest -q tests/device/test_gpu.py -p no:cacheprovider
step "sanitizer" 130 bash -c sanitizer
step "bench" 200 python bench/run.py --quick --case cuda --json "$results/cuda.json"
printf '\nAll passed in %d s; the figures are in %s/cuda.json.\n' "$SECONDS" "$results"
