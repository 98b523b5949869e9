// The C++ API on arrays of any layout and with any number of threads: each gives, bit for bit, what
// contiguous rows give on one.
#include "check/checks.hpp"
#include "fastsoftmax/fastsoftmax.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>

namespace check {
namespace {

/// A strided array inside a buffer of bytes, at any offset.
template <class T> struct Layout {
    std::vector<std::size_t> shape;
    std::vector<std::ptrdiff_t> strides; // bytes
    std::vector<char> bytes;
    std::size_t origin = 0;

    template <class U> fastsoftmax::Array<U> view() {
        return {reinterpret_cast<U *>(bytes.data() + origin), shape, strides};
    }
    char *at(const std::vector<std::size_t> &index) {
        std::ptrdiff_t offset = static_cast<std::ptrdiff_t>(origin);
        for (std::size_t i = 0; i < index.size(); ++i)
            offset += static_cast<std::ptrdiff_t>(index[i]) * strides[i];
        return bytes.data() + offset;
    }
};

/// Dimensions stored in a random order, some backwards, with gaps, perhaps off by one byte.
template <class T> Layout<T> make(const std::vector<std::size_t> &shape, std::mt19937_64 &engine) {
    Layout<T> made{shape, std::vector<std::ptrdiff_t>(shape.size()), {}, 0};
    std::vector<std::size_t> order(shape.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), engine);
    std::size_t extent = sizeof(T);
    std::size_t start = engine() % 3 == 0 ? 1 : 0;
    for (const std::size_t i : order) {
        extent += (engine() % 4 == 0) * sizeof(T);
        made.strides[i] = static_cast<std::ptrdiff_t>(extent);
        if (engine() % 3 == 0) {
            start += extent * (shape[i] - std::min<std::size_t>(shape[i], 1));
            made.strides[i] = -made.strides[i];
        }
        extent *= std::max<std::size_t>(shape[i], 1);
    }
    made.bytes.assign(extent + 1, 77);
    made.origin = start;
    return made;
}

/// Calls f(index) for every element, the axis last: rows in C order.
template <class F> void each(const std::vector<std::size_t> &shape, std::size_t axis, const F &f) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < shape.size(); ++i)
        if (i != axis)
            order.push_back(i);
    order.push_back(axis);
    for (const std::size_t extent : shape)
        if (extent == 0)
            return;
    std::vector<std::size_t> index(shape.size(), 0);
    for (;;) {
        f(index);
        std::size_t k = order.size();
        while (k > 0 && ++index[order[k - 1]] == shape[order[k - 1]])
            index[order[--k]] = 0;
        if (k == 0)
            return;
    }
}

template <class T> bool same_bits(const std::vector<T> &a, const std::vector<T> &b) {
    return a.size() == b.size() &&
           (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Columns are added up in another order than rows: both within the bound of `exact`.
template <class T> bool close(const std::vector<T> &a, const std::vector<T> &b) {
    const double bound = sizeof(T) == 4 ? 1e-6 : 8e-15;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!(std::abs(static_cast<double>(a[i]) - b[i]) <= bound * std::abs(b[i])))
            return false;
    return a.size() == b.size();
}

template <class T>
void check_shape(const std::vector<std::size_t> &shape, std::size_t axis, std::mt19937_64 &engine,
                 Report &report) {
    Layout<T> x = make<T>(shape, engine), y = make<T>(shape, engine);
    std::normal_distribution<double> normal(0, 3);
    std::vector<T> flat;
    each(shape, axis, [&](const auto &index) {
        flat.push_back(static_cast<T>(normal(engine)));
        std::memcpy(x.at(index), &flat.back(), sizeof(T));
    });
    const std::size_t n = shape[axis], rows = n ? flat.size() / n : 0;
    const auto gathered = [&](Layout<T> &layout) {
        std::vector<T> values;
        each(shape, axis, [&](const auto &index) {
            values.emplace_back();
            std::memcpy(&values.back(), layout.at(index), sizeof(T));
        });
        return values;
    };
    std::string where = std::string(sizeof(T) == 4 ? "float32" : "float64") + " shape";
    for (const std::size_t extent : shape)
        where.append(" ").append(std::to_string(extent));
    where.append(", axis ").append(std::to_string(axis));

    const fastsoftmax::Options options{.threads = 1 + static_cast<int>(engine() % 5)};
    where.append(", threads ").append(std::to_string(options.threads));
    std::vector<T> want(flat.size());
    fastsoftmax::online(flat.data(), want.data(), rows, n, {.threads = 1});
    fastsoftmax::online<T>(x.template view<const T>(), y.template view<T>(), axis, options);
    const std::vector<T> got = gathered(y);
    if (!close(got, want))
        report.fail("online, " + where + ": is wrong in this layout");
    fastsoftmax::online<T>(x.template view<const T>(), y.template view<T>(), axis, {.threads = 1});
    if (!same_bits(gathered(y), got))
        report.fail("online, " + where + ": depends on the number of threads");
    if (rows > 0) {
        const std::size_t flat_shape[] = {rows, n};
        const std::ptrdiff_t flat_strides[] = {static_cast<std::ptrdiff_t>(n * sizeof(T)),
                                               sizeof(T)};
        const fastsoftmax::Array<const T> contiguous{flat.data(), flat_shape, flat_strides};
        std::vector<T> m(rows), s(rows), want_m(rows), want_s(rows);
        fastsoftmax::normalizer<T>(contiguous, want_m.data(), want_s.data(), 1);
        fastsoftmax::normalizer<T>(x.template view<const T>(), m.data(), s.data(), axis, options);
        if (!same_bits(m, want_m) || !close(s, want_s))
            report.fail("normalizer, " + where + ": is wrong in this layout");
        fastsoftmax::logsumexp<T>(x.template view<const T>(), s.data(), axis, options);
        for (std::size_t r = 0; r < rows; ++r)
            if (std::abs(s[r] - (want_m[r] + std::log(want_s[r]))) >
                (sizeof(T) == 4 ? 2e-6 : 4e-15))
                report.fail("logsumexp, " + where + ": isn't m + log s");
    }
    fastsoftmax::online<T>(x.template view<const T>(), x.template view<T>(), axis, options);
    if (!close(gathered(x), want))
        report.fail("online in place, " + where + ": is wrong in this layout");
}

} // namespace

void check_layouts(Report &report) {
    const std::vector<std::vector<std::size_t>> shapes = {
        {1},       {7},          {33},         {3, 5},     {5, 1, 4}, {2, 3, 19, 4},
        {0, 4},    {4, 0},       {2, 0, 3},    {130, 67},  {1, 1, 1}, {3, 2, 2, 2, 5},
        {2, 5000}, {2000, 3, 2}, {70, 40, 30}, {1000, 130}};
    std::mt19937_64 engine(4);
    for (const auto &shape : shapes)
        for (std::size_t axis = 0; axis < shape.size(); ++axis)
            for (int repeat = 0; repeat < 3; ++repeat) {
                check_shape<float>(shape, axis, engine, report);
                check_shape<double>(shape, axis, engine, report);
            }
}

} // namespace check
