// The softmax of int8 rows by a table of exp, against the formulas, bit for bit.
#include "int8_shapes.hpp"

using namespace hostcuda;

namespace {

void check_table(Batch &b, Random &g, const char *table, bool bytes, const std::string &name,
                 Report &report) {
    const auto groups = static_cast<std::size_t>(b.arguments().groups);
    Memory<ExpFactors> factors(groups);
    for (std::size_t i = 0; i < groups; ++i)
        factors[i] = exp_factors(std::exp(-0.5 - 0.05 * g.below(120)) * (g.below(20) ? 1 : 20));
    const auto launch = [&](const Int8Arguments &a) {
        return launch_exp_table(a, static_cast<ExpTable>(exp_table(table)), factors[0],
                                groups > 1 ? factors.data() : nullptr);
    };
    const auto wanted = [&](std::int64_t r) {
        fastsoftmax::ByteTableArguments p{};
        std::copy_n(factors[b.group_of(r)].A, 16, p.A);
        std::copy_n(factors[b.group_of(r)].B, 16, p.B);
        p.bytes = bytes;
        return check::table_row(table == std::string_view("u16"), b.distances(r), p);
    };
    if (bytes)
        compare<std::uint8_t>(b, name, launch, wanted, report);
    else
        compare<std::int16_t>(b, name, launch, wanted, report);
}

/// Both tables, in both types of results.
void check_all(Batch &b, Random &g, const std::string &schedule, Report &report) {
    for (const Kernel &kernel : exp_table_kernels()) {
        const char *table = kernel.variant.name;
        for (const bool bytes : {false, true})
            check_table(b, g, table, bytes, schedule + ": int8/" + table, report);
    }
}

} // namespace

int main(int count, char **arguments) { return int8_main(count, arguments, check_all); }
