// One check for each operation of the table, and for what surrounds the table.
#pragma once
#include "check/float_mode.hpp"
#include "check/reference.hpp"
#include "check/report.hpp"

#include <map>
#include <string>
#include <vector>

namespace check {

/// Rows of data with the truth about them, and the weights of one kernel at a time.
template <class T> class Context {
  public:
    explicit Context(const Case<T> &rows);

    /// Weight of every x - m of row r (0 for rows that are not ordinary).
    const T *weights(const Kernel &weight, std::size_t r);

    const Case<T> &data;
    std::vector<RowTruth<T>> truth;

  private:
    const Kernel *cached_ = nullptr;
    std::vector<T> d_, h_;
};

/// Calls a kernel and sees to it that the floating-point mode survives.
template <class Arguments>
void run(const Kernel &kernel, const Arguments &arguments, Report &report) {
    report.ran(kernel);
    const auto mode = float_mode();
    fastsoftmax::call(kernel, arguments);
    if (float_mode() != mode)
        report.fail(kernel, "any data", "the floating-point mode is not restored");
}

inline bool is_exact(const Kernel &kernel) {
    return std::string_view(kernel.variant.name) == "exact";
}

/// Whether y has the probabilities, m and s the states and y the log probabilities of all rows.
template <class T>
void judge_probabilities(Context<T> &context, const Kernel &kernel, const Case<T> &y,
                         Report &report);
template <class T>
void judge_states(Context<T> &context, const Kernel &kernel, const T *m, const T *s,
                  Report &report);
template <class T>
void judge_log_probabilities(Context<T> &context, const Kernel &kernel, const Case<T> &y,
                             Report &report);

/// The same operations with rows as columns of memory, if the kernel has that form.
template <class T> void check_columns(Context<T> &context, const Kernel &kernel, Report &report);
/// And with threads sharing a row, if it is long and the kernel has that form.
template <class T> void check_long_row(Context<T> &context, const Kernel &kernel, Report &report);

/// What is done with the kernels of one operation: on every case of data, or once.
template <class T> struct OperationCheck {
    using OnCase = void (*)(Context<T> &, const Kernel &, Report &);
    using Once = void (*)(const Kernel &, Report &);
    OnCase on_case = nullptr;
    Once once = nullptr;
};

/// The checks of operations by name. The file of a check puts them in, by an object of this type
/// outside of functions.
class OperationChecks {
  public:
    OperationChecks(const char *op, OperationCheck<float>::OnCase on_floats,
                    OperationCheck<double>::OnCase on_doubles) {
        of<float>(op).on_case = on_floats;
        of<double>(op).on_case = on_doubles;
    }
    OperationChecks(const char *op, OperationCheck<float>::Once on_floats,
                    OperationCheck<double>::Once on_doubles) {
        of<float>(op).once = on_floats;
        of<double>(op).once = on_doubles;
    }
    template <class T> static OperationCheck<T> &of(const std::string &op) {
        static std::map<std::string, OperationCheck<T>> checks;
        return checks[op];
    }
};

/// The int8 operations on so many random rows, and a few long ones, against the formulas.
void check_int8(std::size_t rows, Report &report);
/// The division in HCCS `wide`.
void check_reciprocal(Report &report);
/// Names that the dispatch must refuse, ids, the table's own consistency.
void check_dispatch(Report &report);
/// The C++ API on arrays of any layout, against itself on contiguous rows.
void check_layouts(Report &report);
/// The C++ API on shapes that no memory has, and on a state that says what no state says.
void check_sizes(Report &report);

} // namespace check
