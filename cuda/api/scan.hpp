// Launcher of `scan`: see api/rows.hpp for what all launchers promise.
#pragma once
#include "cuda/api/rows.hpp"

namespace fastsoftmax::cuda {

/// The recurrence, logit after logit, of many sequences at once: element i of sequence c is
/// x[i * step + c], so that threads side by side read what lies side by side.
struct ScanArguments {
    int variant; ///< from scan_variant()
    const float *x;
    std::int64_t step, n, sequences;
    float *m, *s;
    int threads; ///< of a block, up to 256: how sequences spread over the multiprocessors
    bool ahead;  ///< fetches the next scan_depth logits while it works on as many
    Stream stream;
};
inline constexpr int scan_depth = 8;

/// Number of a variant, or -1: the names are those of scan_kernels(). `two_expf` exists here alone:
/// the literature's update, with two exponentials by the special-function unit.
int scan_variant(const char *name);
Kernels scan_kernels();
int launch_scan(const ScanArguments &arguments);

} // namespace fastsoftmax::cuda
