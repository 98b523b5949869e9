// The row kernels, launched through cuda/api.hpp on the CPU, against float64.
//
// Arguments: "sizes", every variant and type of elements at lengths around the widths of chunks,
// warps and blocks; "options", scale, masks, sinks, layouts; "edges". With "brief", as sanitizers
// run it, one variant of each form.
#include "rows_case.hpp"

#include <string_view>

using namespace fastsoftmax;
using namespace fastsoftmax::cuda;
using hostcuda::Report;

namespace {

constexpr RowsOperation operations[] = {RowsOperation::online, RowsOperation::log_softmax,
                                        RowsOperation::normalizer, RowsOperation::logsumexp};
bool brief = false;

bool is_exact(const Kernel &kernel) { return kernel.variant.name == std::string_view("exact"); }

/// f(kernel, type) for every variant and type of elements; in brief, `exact` and one variant of
/// each form.
template <class F> void each_kernel(const F &f) {
    const Kernels all = rows_kernels();
    std::string forms;
    for (int i = 0; i < all.count; ++i) {
        const Kernel &kernel = all.rows[i];
        if (std::string_view(kernel.op) != "online")
            continue;
        if (brief && !is_exact(kernel)) {
            if (forms.find(kernel.variant.form) != std::string::npos)
                continue;
            forms += kernel.variant.form;
        }
        if (std::string_view(kernel.dtype) == "float64") {
            f(kernel, Dtype::float64);
            continue;
        }
        for (const Dtype dtype : {Dtype::float32, Dtype::float16, Dtype::bfloat16})
            f(kernel, dtype);
    }
}

void sizes(Report &report) {
    const std::int64_t around[] = {1,   2,   3,   4,   5,   8,    15,   16,   17,  31,
                                   32,  33,  63,  65,  127, 128,  129,  255,  256, 257,
                                   511, 513, 640, 777, 960, 1000, 1023, 1024, 1025};
    const std::int64_t longer[] = {2047, 4097, 8200, 16385, 32760, 32768, 32769, 70001};
    hostcuda::each_schedule([&](const char *schedule) {
        each_kernel([&](const Kernel &kernel, Dtype dtype) {
            int turn = 0;
            for (const std::int64_t n : around) {
                RowsCase c(kernel, dtype, operations[turn++ % 4], 5, n);
                c.x_shift = turn % 3;
                c.run(report, schedule);
            }
            for (const std::int64_t n : longer) {
                const bool all = !brief && is_exact(kernel);
                if (!all && turn++ % 4 != 0)
                    continue;
                RowsCase(kernel, dtype, operations[turn % 4], 2, n).run(report, schedule);
            }
        });
    });
}

} // namespace

int main(int count, char **arguments) {
    Report report;
    for (int i = 1; i < count; ++i)
        brief = brief || std::string_view(arguments[i]) == "brief";
    for (int i = 1; i < count; ++i)
        if (const std::string_view part = arguments[i]; part == "sizes")
            sizes(report);
    return report.finish();
}
