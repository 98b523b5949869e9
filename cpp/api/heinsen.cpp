// Heinsen attention over heads, and over the columns of v where threads are more than heads. Each
// head and each panel of columns is computed the same way whoever takes it, so bits don't depend on
// the threads.
#include "fastsoftmax/heinsen.hpp"
#include "api/jobs/split.hpp"
#include "common/sizes.hpp"
#include "dispatch/kernel_for.hpp"
#include "dispatch/thread_count.hpp"
#include "dispatch/thread_pool.hpp"
#include "kernels/heinsen/arguments.hpp"

#include <algorithm>
#include <memory>
#include <vector>

namespace fastsoftmax {
namespace {

/// Elements of scratch space that a thread has on its stack: for the usual sizes.
constexpr std::size_t usual_scratch = heinsen_scratch_size(128);

/// Below so much work, in multiply-adds, waking a thread costs more than it brings.
constexpr std::size_t worthwhile = 200000;

template <class Arguments> KernelFor<Arguments> kernel_of(const Options &options) {
    if (!options.isa.empty() || options.variant != "exact")
        return kernel_for<Arguments>(options.variant, options.isa);
    // a lookup takes as long as a token
    static const KernelFor<Arguments> best = kernel_for<Arguments>("exact");
    return best;
}

/// What one call has to do, cut into heads and spans of columns.
template <class Arguments> class Job {
    using T = typename Arguments::scalar;

  public:
    Job(T *states, const HeinsenTokens<T> &tokens, KernelFor<Arguments> kernel)
        : states_(states), a_(tokens), kernel_(kernel), begin_(heinsen_weights_size(a_.d_k)),
          size_(heinsen_state_size(a_.d_k, a_.d_v, a_.log_values)) {}

    void run(int threads) {
        const std::size_t panels = heinsen_padded(a_.d_v) / heinsen_block;
        const std::size_t heads = a_.heads, work = product({heads, a_.n, a_.d_k, a_.d_v});
        const auto parts = static_cast<std::size_t>(threads_for(threads, 1 + work / worthwhile));
        spans_ = parts <= heads ? 1 : std::min(panels, (parts + heads - 1) / heads);
        const std::size_t pieces = heads * spans_, shares = std::min(parts, pieces);
        // all that may not be had comes before anything is written
        if (spans_ > 1)
            copy_weights();
        if (scratch_size_ > usual_scratch)
            large_ = std::make_unique_for_overwrite<T[]>(
                checked_bytes("scratch space", {shares, scratch_size_, sizeof(T)}) / sizeof(T) +
                heinsen_line);
        if (shares <= 1)
            return take(0, pieces, 0);
        run_parts(static_cast<int>(shares), static_cast<int>(shares), [&](int share) {
            const auto p = static_cast<std::size_t>(share);
            const auto [first, last] = share_of(pieces, shares, p);
            take(first, last, p);
        });
    }

  private:
    /// Weights change on the way: the spans of a head but the first work on copies of them.
    void copy_weights() {
        for (std::size_t h = 0; h < a_.heads; ++h)
            for (std::size_t s = 1; s < spans_; ++s)
                copies_.insert(copies_.end(), states_ + h * size_, states_ + h * size_ + begin_);
    }

    void take(std::size_t begin, std::size_t end, std::size_t share) {
        alignas(64) T small[usual_scratch];
        T *const scratch = large_ ? heinsen_aligned(large_.get()) + share * scratch_size_ : small;
        if (spans_ == 1)
            return compute(begin, end - begin, 0, scratch);
        for (std::size_t piece = begin; piece < end; ++piece)
            compute(piece / spans_, 1, piece % spans_, scratch);
    }

    /// Span s of so many heads from h on.
    void compute(std::size_t h, std::size_t heads, std::size_t s, T *scratch) {
        const auto at = [](auto *p, std::size_t offset) { return p ? p + offset : p; };
        const std::size_t keys = h * a_.n * a_.d_k, values = h * a_.n * a_.d_v;
        const std::size_t panels = heinsen_padded(a_.d_v) / heinsen_block;
        T *state = states_ + h * size_;
        T *weights = s == 0 ? state : copies_.data() + (h * (spans_ - 1) + s - 1) * begin_;
        const HeinsenArguments<T> plain{weights,
                                        state + begin_,
                                        scratch,
                                        at(a_.q, keys),
                                        at(a_.k, keys),
                                        at(a_.v, values),
                                        at(a_.y, values),
                                        a_.n,
                                        a_.d_k,
                                        a_.d_v,
                                        panels * s / spans_ * heinsen_block,
                                        std::min(panels * (s + 1) / spans_ * heinsen_block, a_.d_v),
                                        heads,
                                        size_};
        if constexpr (std::same_as<Arguments, HeinsenLogArguments<T>>)
            kernel_({plain, a_.log_output});
        else
            kernel_(plain);
    }

    T *const states_;
    const HeinsenTokens<T> &a_;
    const KernelFor<Arguments> kernel_;
    const std::size_t begin_, size_; // of A in a state, and of a state
    const std::size_t scratch_size_ = heinsen_scratch_size(a_.d_k);
    std::size_t spans_ = 1;
    std::vector<T> copies_;
    std::unique_ptr<T[]> large_; // scratch space of all threads where it isn't usual
};

} // namespace

std::size_t heinsen_size(std::size_t d_k, std::size_t d_v, bool log_values) {
    constexpr const char *what = "a Heinsen state of this d_k and d_v";
    constexpr std::size_t number = sizeof(double);
    for (const std::size_t d : {d_k, d_v}) // so that nothing wraps that one of them makes
        checked_bytes(what, {d, 4 * heinsen_block});
    const std::size_t panels = heinsen_padded(d_v) / heinsen_block;
    checked_bytes(what, {panels, heinsen_panel_size(d_k, log_values), number});
    return checked_bytes(what, {heinsen_state_size(d_k, d_v, log_values), number}) / number;
}

template <class T>
void heinsen_start(T *state, std::size_t d_k, std::size_t d_v, bool zeros, bool log_values) {
    const std::size_t size = heinsen_size(d_k, d_v, log_values);
    const std::size_t rows = heinsen_padded(d_k), plane = rows * heinsen_block;
    std::fill_n(state, size, T(0));
    std::fill_n(state, rows, heinsen_lowest<T>);
    if (zeros) {
        std::fill_n(state, d_k, T(0));
        std::fill_n(state + rows, d_k, T(1));
    }
    T *panel = state + heinsen_weights_size(d_k);
    for (std::size_t j = 0; j < d_v; j += heinsen_block) {
        T *A = panel;
        if (log_values) {
            std::fill_n(panel, plane, zeros ? T(0) : heinsen_lowest<T>);
            A += plane;
        }
        for (std::size_t i = 0; zeros && i < d_k; ++i)
            std::fill_n(A + i * heinsen_block, std::min(heinsen_block, d_v - j), T(1));
        panel += heinsen_panel_size(d_k, log_values);
    }
}

template <class Arguments, class T = typename Arguments::scalar>
void run(T *states, const HeinsenTokens<T> &a, const Options &options) {
    const auto kernel = kernel_of<Arguments>(options);
    check_threads(options.threads);
    if (a.d_k == 0 || a.d_v == 0 || (a.k && !a.v) || (a.q && !a.y))
        throw std::invalid_argument("heinsen: d_k and d_v are at least 1, k needs v, q needs y");
    if (a.log_output && !a.log_values)
        throw std::invalid_argument("heinsen: log_output is for states of log values");
    const std::size_t size = heinsen_size(a.d_k, a.d_v, a.log_values);
    checked_bytes("the states of all heads", {a.heads, size, sizeof(T)});
    checked_bytes("queries or keys of this shape", {a.heads, a.n, a.d_k, sizeof(T)});
    checked_bytes("values of this shape", {a.heads, a.n, a.d_v, sizeof(T)});
    if (a.heads == 0 || (!a.q && !a.k))
        return;
    Job<Arguments>(states, a, kernel).run(options.threads);
}

template <class T> void heinsen(T *states, const HeinsenTokens<T> &a, const Options &options) {
    return a.log_values ? run<HeinsenLogArguments<T>>(states, a, options)
                        : run<HeinsenArguments<T>>(states, a, options);
}

template void heinsen_start(float *, std::size_t, std::size_t, bool, bool);
template void heinsen_start(double *, std::size_t, std::size_t, bool, bool);
template void heinsen(float *, const HeinsenTokens<float> &, const Options &);
template void heinsen(double *, const HeinsenTokens<double> &, const Options &);

} // namespace fastsoftmax
