// Heinsen attention over heads: each head is a part, so bits don't depend on the threads.
#include "fastsoftmax/heinsen.hpp"
#include "dispatch/registry.hpp"
#include "dispatch/thread_count.hpp"
#include "dispatch/thread_pool.hpp"
#include "kernels/heinsen_arguments.hpp"

#include <algorithm>
#include <memory>

namespace fastsoftmax {
namespace {

/// Scratch space of one thread: on the stack for the usual sizes.
template <class T> class Scratch {
    static constexpr std::size_t usual = heinsen_scratch_size(128);

  public:
    explicit Scratch(std::size_t size) {
        if (size > usual)
            large_ = std::make_unique<T[]>(size);
    }
    T *get() { return large_ ? large_.get() : small_; }

  private:
    alignas(64) T small_[usual];
    std::unique_ptr<T[]> large_;
};

/// Below so much work, in multiply-adds, waking a thread costs more than it brings.
constexpr std::size_t worthwhile = 200000;

} // namespace

std::size_t heinsen_size(std::size_t d_k, std::size_t d_v) { return heinsen_state_size(d_k, d_v); }

template <class T> void heinsen_start(T *state, std::size_t d_k, std::size_t d_v, bool zeros) {
    const std::size_t rows = heinsen_padded(d_k), columns = heinsen_padded(d_v);
    std::fill_n(state, heinsen_state_size(d_k, d_v), T(0));
    std::fill_n(state, rows, heinsen_lowest<T>);
    if (!zeros)
        return;
    std::fill_n(state, d_k, T(0));
    std::fill_n(state + rows, d_k, T(1));
    for (std::size_t i = 0; i < d_k; ++i)
        std::fill_n(state + 2 * rows + i * columns, d_v, T(1));
}

template <class T> void heinsen(T *states, const HeinsenTokens<T> &a, const Options &options) {
    const KernelRow &kernel =
        choose_kernel(HeinsenArguments<T>::op, options.variant, dtype_name<T>, options.isa);
    if (options.threads == 0 && !threads_problem().empty())
        throw std::invalid_argument(threads_problem());
    if (a.d_k == 0 || a.d_v == 0 || (a.k && !a.v) || (a.q && !a.y))
        throw std::invalid_argument("heinsen: d_k and d_v are at least 1, k needs v, q needs y");
    const std::size_t size = heinsen_state_size(a.d_k, a.d_v);
    const auto heads = [&](std::size_t begin, std::size_t end) {
        Scratch<T> scratch(heinsen_scratch_size(a.d_k));
        const auto at = [](auto *p, std::size_t offset) { return p ? p + offset : p; };
        for (std::size_t h = begin; h < end; ++h) {
            const std::size_t keys = h * a.n * a.d_k, values = h * a.n * a.d_v;
            call(kernel,
                 HeinsenArguments<T>{states + h * size, scratch.get(), at(a.q, keys), at(a.k, keys),
                                     at(a.v, values), at(a.y, values), a.n, a.d_k, a.d_v});
        }
    };
    const std::size_t most =
        static_cast<std::size_t>(options.threads == 0 ? default_threads() : options.threads);
    const std::size_t parts =
        std::min({most, a.heads, 1 + a.heads * a.n * a.d_k * a.d_v / worthwhile});
    if (parts <= 1)
        return heads(0, a.heads);
    run_parts(static_cast<int>(parts), static_cast<int>(parts), [&](int part) {
        const auto p = static_cast<std::size_t>(part);
        heads(a.heads * p / parts, a.heads * (p + 1) / parts);
    });
}

template void heinsen_start(float *, std::size_t, std::size_t, bool);
template void heinsen_start(double *, std::size_t, std::size_t, bool);
template void heinsen(float *, const HeinsenTokens<float> &, const Options &);
template void heinsen(double *, const HeinsenTokens<double> &, const Options &);

} // namespace fastsoftmax
