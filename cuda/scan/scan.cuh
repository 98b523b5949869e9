// The recurrence of common/max_sum.hpp, a thread for each sequence: the experiment of the article
// on surrogates, which reports two exponentials at nearly the speed of none.
//
//   by weight   e = w(-|x - m|)   s = x > m ? s e + w(0) : s + e
//   sr1 .. sr8  s = x > m ? s exp(m - x) + h(0) : s + h(x - m)
//   raw         s = g(m, s, x), the published text to the letter
//   two_expf    M = max(m, x)   s = s exp(m - M) + exp(x - M)
//
// By weight and in two_expf a thread carries one maximum and one multiply-add from logit to logit
// (s + e is s * 1 + e, chosen before s is needed); all else hangs on x and m alone, exponentials
// included. So where few threads run, the latency of the loads binds, then that of the chain; where
// many run, the instructions. `Depth` logits are fetched before the ones at hand are used.
//
// Bits: those of the scalar kernels with fused multiply-add (two_expf excepted). s is one float
// chain: a row of n loses up to n * 6e-8. Edges: as cpp/kernels/operations/scan.hpp.
// Rejected: a branch around the rescale, as on a CPU, where w rescales: lanes would diverge, and
// both ways need one weight.
#pragma once
#include "cuda/api/scan.hpp"
#include "cuda/device/lane.cuh"

#include "common/max_sum.hpp"

namespace fastsoftmax::cuda {

/// The published recurrence of a surrogate.
template <class Surrogate> struct Raw {
    static constexpr VariantInfo info() { return Surrogate::info(); }
};

struct TwoExpf {
    static constexpr VariantInfo info() {
        VariantInfo info = variant::exact::info();
        info.name = "two_expf";
        info.bound = 5e-7;
        info.source = "online softmax as published (arXiv 1805.02867), exp by ex2.approx";
        return info;
    }
};

template <class Variant> class ScanStep {
    using V = Lane<float>;
    static constexpr bool branches = Variant::rescale != Rescale::by_weight;
    typename Variant::template Weight<V, Shift::none> weight_{0.0f};
    float zero_ = weight_(V::set(0.0)).v;
    OnlineUpdate<Variant, V> rescale_;

  public:
    FS_DEVICE MaxSum<float> operator()(MaxSum<float> state, float x) const {
        if constexpr (branches)
            return rescale_(state, x);
        const float d = x - state.m;
        const bool rises = d > 0;
        const V e = weight_(V{-__builtin_fabsf(d)});
        const V factor{rises ? e.v : 1.0f}, added{rises ? zero_ : e.v};
        return {larger(state.m, x), V::fma(V{state.s}, factor, added).v};
    }
    static constexpr bool raw = false;
};
template <class Surrogate> struct ScanStep<Raw<Surrogate>> {
    using V = Lane<float>;
    FS_DEVICE MaxSum<float> operator()(MaxSum<float> state, float x) const {
        const float s = Surrogate::template g<V>(V{state.m}, V{state.s}, V{x}).v;
        return {V::max(V{x}, V{state.m}).v, s};
    }
    static constexpr bool raw = true;
};
template <> struct ScanStep<TwoExpf> {
    FS_DEVICE MaxSum<float> operator()(MaxSum<float> state, float x) const {
        constexpr float log2_e = 1.44269504f;
        const float m = larger(state.m, x);
        return {m, __builtin_fmaf(state.s, ex2((state.m - m) * log2_e), ex2((x - m) * log2_e))};
    }
    static constexpr bool raw = false;
};

/// The state after all n logits; `first` of them are done.
template <int Depth, class Step>
FS_DEVICE MaxSum<float> scanned(const Step &step, MaxSum<float> state, const ScanArguments &a,
                                const float *x, std::int64_t first) {
    if constexpr (Depth > 1) {
        float now[Depth], next[Depth];
        if (first + Depth <= a.n)
#pragma unroll
            for (int i = 0; i < Depth; ++i)
                now[i] = x[(first + i) * a.step];
        for (; first + 2 * Depth <= a.n; first += Depth) {
#pragma unroll
            for (int i = 0; i < Depth; ++i)
                next[i] = x[(first + Depth + i) * a.step];
#pragma unroll
            for (int i = 0; i < Depth; ++i) {
                state = step(state, now[i]);
                now[i] = next[i];
            }
        }
    }
    for (; first < a.n; ++first)
        state = step(state, x[first * a.step]);
    return state;
}

template <class Variant, int Depth>
__global__ void __launch_bounds__(256) scan(const ScanArguments a) {
    using Step = ScanStep<Variant>;
    const std::int64_t c = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    if (c >= a.sequences)
        return;
    const float *x = a.x + c;
    MaxSum<float> state{-infinity<float>(), 0};
    std::int64_t first = 0;
    if constexpr (Step::raw) {
        if (a.n > 0)
            state = {x[first++], 1};
    } else
        while (first < a.n && x[first * a.step] == -infinity<float>())
            ++first;
    state = scanned<Depth>(Step{}, state, a, x, first);
    if constexpr (!Step::raw) {
        if (state.m == infinity<float>())
            state = state_at_infinity(x, static_cast<std::size_t>(a.n), state.m, a.step);
        else if (state.s != state.s)
            state.m = state.s;
    }
    a.m[c] = state.m;
    a.s[c] = state.s;
}

} // namespace fastsoftmax::cuda
