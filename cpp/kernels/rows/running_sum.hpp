// The sum of a row's weights in one pass: the state (m, s) block by block, nothing kept of a block.
//
// A block is weighed relative to a power of two near e^m, m its own maximum (exp.hpp), while it is
// in L1; on a new exponent what has been summed is scaled by a power of two, so exactly. Blocks
// whose maximum lies below exp's limit count as nothing and are remembered by that maximum: whether
// they really are nothing shows at the end. So rows masked by finfo.min are still read once.
#pragma once
#include "common/weights/variants.hpp"
#include "kernels/rows/block_states.hpp"
#include "kernels/rows/passes.hpp"

namespace fastsoftmax {

template <class V> class RunningSum {
    using T = typename V::scalar;
    using Weight = ExactWeight<V, Shift::none>;

    MaxSum<std::int32_t, CompensatedSum> total_{exponent_of_nothing, {}};
    T left_out_ = lowest_value<V>();
    bool beyond_ = false;

  public:
    /// A block with maximum m; fetches as many elements from `next` on meanwhile.
    FS_INLINE void add_block(const T *x, std::size_t n, T m, const T *next) {
        if (beyond_ || m >= Weight::limit()) {
            beyond_ = true;
            return;
        }
        const bool nothing = m <= -Weight::limit();
        if (nothing && m > left_out_)
            left_out_ = m;
        constexpr std::size_t tree = tree_size<V> * V::lanes, line = cache_line / sizeof(T);
        // a block of nothing weighs 0 relative to e^0, and its NaN shows in the sum
        const double sum =
            weigh<Storing::nothing, V>(Weight(nothing ? T(0) : m), x, nullptr, n, [&next] {
                for (std::size_t i = 0; i < tree; i += line)
                    __builtin_prefetch(next + i, 0, 3);
                next += tree;
            });
        const std::int32_t exponent =
            nothing ? exponent_of_nothing : BlockStates<V>::exponent_of(m);
        total_.merge(MaxSum<std::int32_t, double>{exponent, sum}, ByPowersOfTwo{});
    }

    /// Whether value() is the sum of the weights of a row with maximum m.
    FS_INLINE bool complete(T m) const {
        return !beyond_ && m > -Weight::limit() &&
               left_out_ <= m + static_cast<T>(Weight::domain());
    }
    FS_INLINE double value() const { return total_.s.value(); }
};

} // namespace fastsoftmax
