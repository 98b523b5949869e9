// Compiled once per ISA, with that ISA's flags: every kernel of the table, and the list of them.
//
// FS_ISA is the namespace, FS_ISA_HEADER and FS_INT8_HEADER the vector headers (the build passes
// them). All that is instantiated here depends on a vector type in an unnamed namespace, so no
// symbol but the table leaves the object: a weak AVX-512 copy of a shared function would crash
// older CPUs.
#include <cstddef>
#include <cstdint>

#include FS_ISA_HEADER
#include FS_INT8_HEADER

#include "common/weights/variants.hpp"
#include "kernels/convert/epilogue.hpp"
#include "kernels/convert/prologue.hpp"
#include "kernels/int8/exp_table.hpp"
#include "kernels/int8/hccs.hpp"
#include "kernels/make_kernel.hpp"
#include "kernels/operations/log_softmax.hpp"
#include "kernels/operations/normalizer.hpp"
#include "kernels/operations/online.hpp"
#include "kernels/operations/scan.hpp"
#include "kernels/operations/topk.hpp"
#include "kernels/operations/update.hpp"
#include "kernels/operations/weight.hpp"
#include "surrogates.hpp"

namespace fastsoftmax::FS_ISA {
namespace {

static_assert(Vector<F32> && Vector<F64> && Adapts<F32> && Adapts<F64> && Converts<F32>);
static_assert(Int8Vector<I8>);

template <class V> using T = typename V::scalar;

template <class V>
[[maybe_unused]] constexpr Conversions conversions_of{
    erased<PrologueArguments<T<V>>, Prologue<V>::run>,
    erased<EpilogueArguments<T<V>>, Epilogue<V>::run>};

template <class Implementation, class V>
concept HasColumns = requires(const ColumnsArguments<T<V>> &a) { Implementation::columns(a); };
template <class Implementation, class V>
concept HasLongSteps = requires(const LongRowArguments<T<V>> &a) { Implementation::long_step(a); };

template <template <class, class> class Operation, class Variant, class V>
constexpr Kernel make_kernel() {
    using Implementation = Operation<Variant, V>;
    Kernel kernel = make_plain_kernel<Operation, Variant, V>();
    if constexpr (Vector<V>)
        kernel.conversions = &conversions_of<V>;
    if constexpr (HasColumns<Implementation, V>)
        kernel.columns = erased<ColumnsArguments<T<V>>, Implementation::columns>;
    if constexpr (HasLongSteps<Implementation, V>)
        kernel.long_step = erased<LongRowArguments<T<V>>, Implementation::long_step>;
    return kernel;
}

#define FS_INT8(operation, variant, vector) make_kernel<operation, variant, vector>(),
#ifdef FS_INT8_KERNELS_ONLY
#define FS_ROW(operation, variant, vector)
#else
#define FS_ROW FS_INT8
#endif
#ifdef FS_HAS_STEPWISE_KERNELS
#define FS_STEPWISE FS_ROW
#else
#define FS_STEPWISE(operation, variant, vector)
#endif
#define FS_WITH_STATE(operation, variant, vector) // heinsen_unit.cpp
constexpr Kernel kernels[] = {
#include "kernels/kernels.def"
};

// make_kernel() would pass over a member that it can't reach, and threads would share no rows
template <template <class, class> class Operation, class V>
concept ExactIsShared =
    HasColumns<Operation<variant::exact, V>, V> && HasLongSteps<Operation<variant::exact, V>, V>;
static_assert(ExactIsShared<Online, F32> && ExactIsShared<Online, F64>);
static_assert(ExactIsShared<LogSoftmax, F32> && ExactIsShared<Normalizer, F32>);

} // namespace

extern const KernelTable table;
constexpr KernelTable table{kernels, sizeof(kernels) / sizeof(kernels[0])};

} // namespace fastsoftmax::FS_ISA
