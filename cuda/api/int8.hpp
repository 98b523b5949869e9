// Launchers of the int8 kernels: see api/rows.hpp for what all launchers promise, common/hccs.hpp
// and common/int8_exp_table.hpp for formulas and conditions, which the caller has checked.
#pragma once
#include "cuda/api/rows.hpp"

namespace fastsoftmax::cuda {

/// Rows of int8 logits, in C order over the extents. Each `rows_per_group` of them share their
/// parameters: number i / rows_per_group % groups of a row i. All rows and one set of parameters:
/// rows_per_group is the number of rows, groups 1. At most 2^31 - 1 rows.
struct Int8Arguments {
    int dims; ///< how many of `extent` there are, 0 for one row
    std::int64_t extent[max_outer];
    std::int64_t n; ///< elements of a row, which lie side by side: `step` isn't used
    const std::int8_t *x;
    Strided x_at;
    const std::uint8_t *mask; ///< bytes, 0: takes no part; or nullptr
    Strided mask_at;          ///< `outer` is 0 where it is broadcast
    void *y;                  ///< uint8_t where `bytes`, else int16_t
    Strided y_at;
    bool bytes;
    std::int64_t rows_per_group, groups;
    Stream stream;
};

/// The parameters of an attention head: s = B - S * min(max - x, Dmax).
struct HccsHead {
    std::int32_t B, S, Dmax;
};

/// Factors of a table of exp.
struct ExpFactors {
    std::int16_t A[16], B[16];
};
/// For softmax of scale * x, with the bits of the CPU's.
ExpFactors exp_factors(double scale);

enum class HccsMode : int { i16_div, i16_clb, i8_div, i8_clb, wide };
enum class ExpTable : int { u8, u16 };

/// Number of a mode or table, or -1: the names are those of hccs_kernels(), operation `hccs`, and
/// exp_table_kernels(), operation `int8`.
int hccs_mode(const char *name);
int exp_table(const char *name);
Kernels hccs_kernels();
Kernels exp_table_kernels();

/// Parameters: `heads`, as many as there are groups, on the device; or, without, `head` for all.
int launch_hccs(const Int8Arguments &arguments, HccsMode mode, const HccsHead &head,
                const HccsHead *heads);
int launch_exp_table(const Int8Arguments &arguments, ExpTable table, const ExpFactors &factors,
                     const ExpFactors *all_factors);

} // namespace fastsoftmax::cuda
