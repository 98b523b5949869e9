// One call of the row kernels: inputs drawn, launched, every result compared.
#pragma once
#include "report.hpp"
#include "rows_reference.hpp"

#include <random>

namespace fastsoftmax::cuda {

inline const char *name_of(Dtype dtype) {
    constexpr const char *names[] = {"float32", "float64", "float16", "bfloat16"};
    return names[static_cast<int>(dtype)];
}
inline const char *name_of(RowsOperation operation) {
    constexpr const char *names[] = {"online", "log_softmax", "normalizer", "logsumexp"};
    return names[static_cast<int>(operation)];
}

/// Half of float16's lowest, as if masks came from there: up to it an added number masks out.
inline constexpr double masked = -32752;

/// Numbers in memory as the kernels see them.
class Numbers {
    Dtype dtype_;
    hostcuda::Memory<unsigned char> bytes_;

  public:
    Numbers(Dtype dtype, std::size_t count, std::size_t shift)
        : dtype_(dtype), bytes_(count * size_of(dtype), shift * size_of(dtype)) {}
    void *data() { return bytes_.data(); }
    template <class T> T &as(std::size_t i) { return reinterpret_cast<T *>(bytes_.data())[i]; }
    double get(std::size_t i) {
        switch (dtype_) {
        case Dtype::float32:
            return as<float>(i);
        case Dtype::float64:
            return as<double>(i);
        case Dtype::float16:
            return widened(as<float16>(i));
        default:
            return widened(as<bfloat16>(i));
        }
    }
    void set(std::size_t i, double value) {
        switch (dtype_) {
        case Dtype::float32:
            as<float>(i) = static_cast<float>(value);
            break;
        case Dtype::float64:
            as<double>(i) = value;
            break;
        case Dtype::float16:
            narrow(static_cast<float>(value), as<float16>(i));
            break;
        default:
            narrow(static_cast<float>(value), as<bfloat16>(i));
        }
    }
};

struct RowsCase {
    const Kernel &kernel;
    Dtype dtype;
    RowsOperation operation;
    std::int64_t rows, n;
    int x_shift = 0, y_shift = 0, gap = 0; ///< elements beside 16 bytes, and between rows
    double scale = 1, offset = 0, spread = 3;
    Mask mask = Mask::none;
    bool mask_is_broadcast = false, has_sink = false, in_place = false;
    double unmasked_share = 0.7;
    std::int64_t inner_rows = 0; ///< rows as two dimensions, the last of so many
    /// Logits to put in place of drawn ones: of row r, those for which this says so.
    bool (*special)(std::int64_t row, std::int64_t i, double &logit) = nullptr;

    RowsCase(const Kernel &kernel, Dtype dtype, RowsOperation operation, std::int64_t rows,
             std::int64_t n)
        : kernel(kernel), dtype(dtype), operation(operation), rows(rows), n(n) {}

    void run(hostcuda::Report &report, const std::string &where) {
        if (dtype == Dtype::float64)
            run_as<double>(report, where);
        else
            run_as<float>(report, where);
    }

  private:
    bool writes() const {
        return operation == RowsOperation::online || operation == RowsOperation::log_softmax;
    }
    std::string text(const std::string &where) const {
        return where + ": " + name_of(operation) + "/" + kernel.variant.name + " " +
               name_of(dtype) + " " + std::to_string(rows) + " x " + std::to_string(n) + " shift " +
               std::to_string(x_shift) + "/" + std::to_string(y_shift) + " gap " +
               std::to_string(gap) + " scale " + std::to_string(scale) + " offset " +
               std::to_string(offset) + " mask " + std::to_string(static_cast<int>(mask)) +
               " sink " + std::to_string(has_sink) + (in_place ? " in place" : "");
    }

    template <class T> struct Inputs {
        Numbers x;
        hostcuda::Memory<std::uint8_t> keep;
        hostcuda::Memory<T> add, sinks;
        std::vector<std::vector<T>> z; ///< what softmax is of, row by row
        std::vector<bool> left;
    };

    template <class T> void run_as(hostcuda::Report &report, const std::string &where) {
        const std::int64_t pitch = n + gap, masks = mask_is_broadcast ? 1 : rows;
        const auto count = static_cast<std::size_t>(rows * pitch - gap);
        Inputs<T> in{Numbers(dtype, count, static_cast<std::size_t>(x_shift)),
                     hostcuda::Memory<std::uint8_t>(static_cast<std::size_t>(masks * n)),
                     hostcuda::Memory<T>(static_cast<std::size_t>(masks * n)),
                     hostcuda::Memory<T>(static_cast<std::size_t>(rows)),
                     {},
                     {}};
        draw(in);
        Numbers y(dtype, count, static_cast<std::size_t>(y_shift));
        hostcuda::Memory<T> m(static_cast<std::size_t>(rows)), s(static_cast<std::size_t>(rows));
        RowsArguments a = arguments(in);
        a.y = writes() ? (in_place ? in.x.data() : y.data()) : nullptr;
        a.m = m.data(), a.s = operation == RowsOperation::normalizer ? s.data() : nullptr;
        hostcuda::Memory<unsigned char> workspace(rows_workspace(a));
        a.workspace = workspace.data();
        std::string problem;
        if (const int error = launch_rows(a))
            problem = error_text(error);
        for (std::int64_t r = 0; r < rows && problem.empty(); ++r)
            problem = writes() ? compare_row(in, in_place ? in.x : y, r)
                               : compare_state(in, m[static_cast<std::size_t>(r)],
                                               s[static_cast<std::size_t>(r)], r);
        report.check(problem.empty(), text(where) + ": " + problem);
    }

    template <class T> RowsArguments arguments(Inputs<T> &in) const {
        RowsArguments a{};
        a.operation = operation;
        a.variant = rows_variant(kernel.variant.name);
        a.dtype = dtype;
        a.n = n;
        a.x = in.x.data();
        a.scale = scale;
        a.mask_kind = mask;
        a.mask = mask == Mask::keep ? static_cast<const void *>(in.keep.data()) : in.add.data();
        a.masked_at_most = masked;
        a.sink = has_sink ? in.sinks.data() : nullptr;
        a.x_at.step = a.y_at.step = a.mask_at.step = 1;
        a.dims = inner_rows ? 2 : 1;
        a.extent[0] = rows;
        if (inner_rows)
            a.extent[0] = rows / inner_rows, a.extent[1] = inner_rows;
        for (int d = 0; d < a.dims; ++d) {
            const std::int64_t step = d == 0 && inner_rows ? inner_rows : 1;
            a.x_at.outer[d] = a.y_at.outer[d] = step * (n + gap);
            a.mask_at.outer[d] = mask_is_broadcast ? 0 : step * n;
            a.sink_at.outer[d] = step;
        }
        return a;
    }

    template <class T> void draw(Inputs<T> &in) const {
        std::mt19937_64 random(static_cast<std::uint64_t>(rows * 100003 + n));
        std::normal_distribution<double> normal;
        std::uniform_real_distribution<double> uniform;
        constexpr T nothing = -std::numeric_limits<T>::infinity();
        for (std::size_t i = 0; i < in.keep.size(); ++i) {
            in.keep[i] =
                uniform(random) < unmasked_share ? static_cast<std::uint8_t>(1 + i % 3) : 0;
            in.add[i] = in.keep[i] ? static_cast<T>(normal(random))
                        : i % 2    ? nothing
                                   : static_cast<T>(masked);
        }
        in.z.resize(static_cast<std::size_t>(rows));
        in.left.assign(static_cast<std::size_t>(rows), mask == Mask::none);
        for (std::int64_t r = 0; r < rows; ++r) {
            std::vector<T> &z = in.z[static_cast<std::size_t>(r)];
            for (std::int64_t i = 0; i < n; ++i) {
                double logit = offset + spread * normal(random);
                if (special)
                    special(r, i, logit);
                const auto at = static_cast<std::size_t>(r * (n + gap) + i);
                in.x.set(at, logit);
                const auto j = static_cast<std::size_t>(mask_is_broadcast ? i : r * n + i);
                const auto x = static_cast<T>(in.x.get(at));
                const bool out = mask != Mask::none && !in.keep[j];
                z.push_back(out                 ? nothing
                            : mask == Mask::add ? std::fma(static_cast<T>(scale), x, in.add[j])
                                                : static_cast<T>(scale) * x);
                if (!out)
                    in.left[static_cast<std::size_t>(r)] = true;
            }
            const auto sink = static_cast<T>(offset + 4 * normal(random));
            in.sinks[static_cast<std::size_t>(r)] = sink;
            if (has_sink)
                z.push_back(sink);
        }
    }

    /// Relative rounding of a result to the type of elements, and the least absolute one.
    double rounding() const {
        return dtype == Dtype::float16 ? 0x1p-11 : dtype == Dtype::bfloat16 ? 0x1p-8 : 0;
    }
    /// Relative error of a probability or a sum. What approximates exp here only has the bound of
    /// its weight, and the rounding of the exponent (cuda/rows/mixed.cuh).
    double bound() const {
        if (dtype == Dtype::float64)
            return 4e-15;
        if (kernel.variant.name == std::string_view("exact"))
            return 5e-7;
        if (!reference_weight(kernel.variant.name).weight)
            return 2 * kernel.variant.bound + 1.4e-6;
        // stretches of a long row subtract maxima of their own there, and so do other arguments
        // reach the polynomial than in the reference
        const bool other_arguments = std::fabs(offset) > 10000 && n > 8192;
        return other_arguments ? 5e-7 + 2 * kernel.variant.bound : 5e-7;
    }
    template <class T> static double half_unit(double x) {
        const T a = std::fabs(static_cast<T>(x));
        return std::isfinite(a)
                   ? 0.5 * static_cast<double>(
                               std::nextafter(a, std::numeric_limits<T>::infinity()) - a)
                   : 0;
    }

    template <class T> std::string compare_row(Inputs<T> &in, Numbers &y, std::int64_t r) const {
        const auto &z = in.z[static_cast<std::size_t>(r)];
        const ReferenceRow<T> row(z, kernel.variant.name);
        const bool online = operation == RowsOperation::online;
        for (std::int64_t i = 0; i < n; ++i) {
            const double got = y.get(static_cast<std::size_t>(r * (n + gap) + i));
            const auto d = static_cast<double>(
                static_cast<typename ReferenceRow<T>::Wide>(z[static_cast<std::size_t>(i)]) -
                row.m);
            double wanted, allowed;
            if (!std::isfinite(static_cast<double>(row.m)) || row.s != row.s) {
                wanted = in.left[static_cast<std::size_t>(r)] ? std::nan("")
                         : online                             ? 0
                                                              : -HUGE_VAL;
                allowed = 0;
            } else if (online) {
                wanted =
                    static_cast<double>(row.weights[static_cast<std::size_t>(i)] / row.raw_sum);
                const bool near = d > (sizeof(T) == 4 ? -20 : -700);
                allowed = (near ? bound() : 3e-7) * (near ? wanted : 1.0);
                if (d < (sizeof(T) == 4 ? kernel.variant.domain - 0.05 : -710)) // exactly
                    wanted = allowed = 0;
                allowed += rounding() * wanted + (dtype == Dtype::float16 ? 0x1p-25 : 0);
            } else {
                wanted = static_cast<T>(d) < std::numeric_limits<T>::lowest()
                             ? -HUGE_VAL // as x - m overflows
                             : d - std::log(static_cast<double>(row.s));
                allowed = bound() + half_unit<T>(d) + half_unit<T>(wanted);
                allowed += rounding() * std::fabs(wanted);
            }
            if (!(std::fabs(got - wanted) <= allowed || got == wanted ||
                  (got != got && wanted != wanted)))
                return "row " + std::to_string(r) + " element " + std::to_string(i) + ": got " +
                       std::to_string(got) + ", wanted " + std::to_string(wanted) +
                       ", relative error " + std::to_string(1e6 * (got / wanted - 1)) + "e-6";
        }
        return "";
    }

    template <class T> std::string compare_state(Inputs<T> &in, T m, T s, std::int64_t r) const {
        const ReferenceRow<T> row(in.z[static_cast<std::size_t>(r)], kernel.variant.name);
        const auto same = [](double got, double wanted, double allowed) {
            return got == wanted || (got != got && wanted != wanted) ||
                   std::fabs(got - wanted) <= allowed;
        };
        const auto top = static_cast<double>(row.m), sum = static_cast<double>(row.s);
        bool good;
        if (operation == RowsOperation::normalizer) {
            good = same(static_cast<double>(m), top, 0) &&
                   same(static_cast<double>(s), sum, bound() * sum);
        } else {
            const double wanted =
                std::isfinite(top) ? static_cast<double>(row.m + std::log(row.s)) : top;
            good = same(static_cast<double>(m), wanted, bound() + half_unit<T>(wanted));
        }
        return good ? ""
                    : "row " + std::to_string(r) + ": got " + std::to_string(m) + ", " +
                          std::to_string(s) + "; wanted " + std::to_string(top) + ", " +
                          std::to_string(sum);
    }
};

} // namespace fastsoftmax::cuda
