// What rows must come out as: in double (long double for float64), plainly.
//
// `exact` is held to std::exp, and so are variants that CUDA alone has, by their own bounds. Of the
// others the weight itself is the subject of other tests, on every float; here the reference weighs
// by the same functor, and so shows what the kernels add.
#pragma once
#include "cuda/api/rows.hpp"
#include "cuda/device/lane.cuh"

#include "common/weights/unit.hpp"
#include "common/weights/variants.hpp"
#include "surrogates.hpp"

#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

namespace fastsoftmax::cuda {

/// Weight of z in a row with maximum m, and what the weight of m itself counts as.
struct ReferenceWeight {
    double (*weight)(float z, float m);
    double (*unit)(float m);
};

template <class Variant> ReferenceWeight reference_of() {
    using V = Lane<float>;
    using Weight = typename Variant::template Weight<V, Shift::none>;
    return {[](float z, float m) -> double {
                if (std::fabs(m) < Weight::limit())
                    return Weight(m)(V{z}).v;
                return Weight(0.0f)(V{z - m}).v;
            },
            [](float m) -> double {
                return UnitWeight<Weight, V>::at({std::fabs(m) < Weight::limit() ? m : 0.0f}).v;
            }};
}

/// Empty for what is held to std::exp.
inline ReferenceWeight reference_weight(std::string_view name) {
#define FS_REFERENCE(type)                                                                         \
    if (name == type::info().name)                                                                 \
        return reference_of<type>();
#define FS_VARIANT(name_) FS_REFERENCE(variant::name_)
#define FS_SURROGATE(name_) FS_REFERENCE(variant::generated<surrogate::name_>)
#include "kernels/kernels.def"
#undef FS_REFERENCE
    return {};
}

/// A row's logits, scaled and masked, with the sink as the last one, if there is one.
template <class T> struct ReferenceRow {
    using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;
    Wide m = -std::numeric_limits<Wide>::infinity(), s = 0, raw_sum = 0;
    std::vector<Wide> weights;

    ReferenceRow(const std::vector<T> &z, std::string_view variant) : weights(z.size()) {
        bool nan = false;
        for (const T x : z) {
            nan = nan || x != x;
            m = x > m ? static_cast<Wide>(x) : m;
        }
        if (nan || !std::isfinite(m)) {
            s = raw_sum = nan || m > 0 ? std::numeric_limits<Wide>::quiet_NaN() : 0;
            m = nan ? s : m;
            return;
        }
        const ReferenceWeight by = reference_weight(variant);
        const bool exact = by.weight == nullptr;
        const auto top = static_cast<float>(m);
        for (std::size_t i = 0; i < z.size(); ++i) {
            weights[i] = exact ? std::exp(static_cast<Wide>(z[i]) - m)
                               : static_cast<Wide>(by.weight(static_cast<float>(z[i]), top));
            raw_sum += weights[i];
        }
        s = exact ? raw_sum : raw_sum / static_cast<Wide>(by.unit(top));
    }
};

} // namespace fastsoftmax::cuda
