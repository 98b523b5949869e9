// The operations on columns: rows laid out side by side, repeated so that whole vectors, four of
// them and a tail occur. All repetitions of a row must have the same bits.
#include "check/checks.hpp"
#include "kernels/arguments.hpp"
#include "kernels/columns/scratch.hpp"

#include <cstring>
#include <string_view>

namespace check {
namespace {

constexpr std::size_t longest = 3000;

template <class T> struct Results {
    Case<T> y;
    std::vector<T> m, s;
};

/// Runs the columns and gives those from `first` on back as rows.
template <class T> class Columns {
  public:
    Columns(const Case<T> &data, std::size_t columns, const Kernel &kernel)
        : data_(data), step_(static_cast<std::ptrdiff_t>(columns) + 1), x_(data.n * (columns + 1)),
          z_(fastsoftmax::column_scratch<T>(data.n, columns, columns + 1)),
          y_(x_.size() + 1, canary), m_(columns + 1, canary), s_(m_) {
        for (std::size_t c = 0; c < columns; ++c)
            for (std::size_t i = 0; i < data.n; ++i)
                x_[i * (columns + 1) + c] = data.row(c % data.rows)[i];
        const fastsoftmax::ColumnsArguments<T> arguments{x_.data(), step_, z_.data(), step_,
                                                         y_.data(), step_, m_.data(), s_.data(),
                                                         columns,   data.n};
        fastsoftmax::KernelForms<T>(kernel).columns(arguments);
    }
    Results<T> from(std::size_t first) const {
        Results<T> found{data_, {}, {}};
        for (std::size_t r = 0; r < data_.rows; ++r) {
            found.m.push_back(m_[first + r]);
            found.s.push_back(s_[first + r]);
            for (std::size_t i = 0; i < data_.n; ++i)
                found.y.row(r)[i] = y_[i * static_cast<std::size_t>(step_) + first + r];
        }
        return found;
    }
    bool stayed_inside() const {
        for (std::size_t i = 0; i < data_.n; ++i)
            if (y_[(i + 1) * static_cast<std::size_t>(step_) - 1] != canary)
                return false;
        return m_.back() == canary && s_.back() == canary;
    }

  private:
    static constexpr T canary = T(-12345.678);
    const Case<T> &data_;
    std::ptrdiff_t step_;
    std::vector<T> x_, z_, y_, m_, s_;
};

template <class T> bool same_bits(const T *a, const T *b, std::size_t n) {
    return n == 0 || std::memcmp(a, b, n * sizeof(T)) == 0;
}

} // namespace

template <class T> void check_columns(Context<T> &context, const Kernel &kernel, Report &report) {
    const Case<T> &data = context.data;
    if (!kernel.columns || data.rows == 0 || data.n > longest)
        return;
    const std::size_t rounds = (static_cast<std::size_t>(6 * kernel.lanes) + 3) / data.rows + 2;
    const Columns<T> columns(data, rounds * data.rows, kernel);
    const std::string where = data.name + " by columns, n = " + std::to_string(data.n);
    if (!columns.stayed_inside())
        report.fail(kernel, where, "writes outside its columns");
    const Results<T> first = columns.from(0);
    const std::string_view op = kernel.op;
    if (op == "online")
        judge_probabilities(context, kernel, first.y, report);
    else if (op == "log_softmax")
        judge_log_probabilities(context, kernel, first.y, report);
    else
        judge_states(context, kernel, first.m.data(), first.s.data(), report);
    for (std::size_t round = 1; round < rounds; ++round) {
        const Results<T> again = columns.from(round * data.rows);
        for (std::size_t r = 0; r < data.rows; ++r)
            if (context.truth[r].ordinary() && (!same_bits(&first.m[r], &again.m[r], 1) ||
                                                !same_bits(&first.s[r], &again.s[r], 1) ||
                                                !same_bits(first.y.row(r), again.y.row(r), data.n)))
                return report.fail(kernel, where, "bits depend on the place of a column");
    }
}

template void check_columns(Context<float> &, const Kernel &, Report &);
template void check_columns(Context<double> &, const Kernel &, Report &);

} // namespace check
