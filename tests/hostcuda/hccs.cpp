// HCCS, launched through cuda/api/int8.hpp on the CPU, against the formulas, bit for bit.
#include "int8_shapes.hpp"

using namespace hostcuda;

namespace {

/// Parameters that satisfy the conditions of the paper (Z of 15 bits), or those of `wide`.
HccsHead head_for(Random &g, std::int64_t n, bool wide) {
    const int most = static_cast<int>(
        wide ? std::min<std::int64_t>(32767, ((std::int64_t{1} << 31) - 1) / n) : 32767 / n);
    HccsHead head{};
    head.B = g.below(3) ? most - g.below(std::min(most, 3)) : g.between(1, most);
    head.Dmax = g.between(0, wide ? 255 : 127);
    head.S = head.Dmax ? std::min(g.between(0, (head.B - 1) / head.Dmax), wide ? 32767 : 127)
                       : g.below(100);
    return head;
}

void check_hccs(Batch &b, Random &g, const char *mode, bool bytes, const std::string &name,
                Report &report) {
    const Shape &shape = b.shape();
    const bool wide = mode == std::string_view("wide");
    if (!wide && shape.n > 32767)
        return;
    const auto groups = static_cast<std::size_t>(b.arguments().groups);
    Memory<HccsHead> heads(groups);
    for (std::size_t i = 0; i < groups; ++i)
        heads[i] = head_for(g, shape.n, wide);
    const auto launch = [&](const Int8Arguments &a) {
        return launch_hccs(a, static_cast<HccsMode>(hccs_mode(mode)), heads[0],
                           groups > 1 ? heads.data() : nullptr);
    };
    const auto wanted = [&](std::int64_t r) {
        fastsoftmax::HccsArguments p{};
        const HccsHead &head = heads[b.group_of(r)];
        p.B = head.B;
        p.S = head.S;
        p.Dmax = head.Dmax;
        p.bytes = bytes;
        return check::hccs_row(mode, b.distances(r), p);
    };
    if (bytes)
        compare<std::uint8_t>(b, name, launch, wanted, report);
    else
        compare<std::int16_t>(b, name, launch, wanted, report);
}

/// Every mode, in every type of result that it has.
void check_all(Batch &b, Random &g, const std::string &schedule, Report &report) {
    for (const Kernel &kernel : hccs_kernels()) {
        const char *mode = kernel.variant.name;
        const std::string_view v = mode;
        for (const bool bytes : {false, true})
            if (v == "wide" || v.starts_with("i8") == bytes)
                check_hccs(b, g, mode, bytes, schedule + ": hccs/" + mode, report);
    }
}

} // namespace

int main(int count, char **arguments) { return int8_main(count, arguments, check_all); }
