// The C++ API on shapes whose products wrap: refused in words, before anything is read or written.
#include "check/checks.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "fastsoftmax/heinsen.hpp"
#include "fastsoftmax/int8.hpp"

#include <cmath>
#include <limits>
#include <new>
#include <stdexcept>

namespace check {
namespace {

using Shape = std::vector<std::size_t>;
constexpr std::size_t half = std::size_t{1} << 32, most = SIZE_MAX, sign = std::size_t{1} << 63;

/// An array of one element that is read at every place, in a shape that no memory has.
template <class E> struct Broadcast {
    E element{};
    Shape shape;
    std::vector<std::ptrdiff_t> strides;

    explicit Broadcast(const Shape &shape) : shape(shape), strides(shape.size(), 0) {
        strides.back() = sizeof(E);
    }
    template <class T = E> fastsoftmax::Array<T> array() { return {&element, shape, strides}; }
};

template <class F> void refuses(Report &report, const std::string &what, const F &f) {
    try {
        f();
        report.fail(what + ": sizes that wrap are not refused");
    } catch (const std::length_error &error) {
        if (std::string(error.what()).find("bytes") == std::string::npos)
            report.fail(what + ": no word about bytes: " + error.what());
    } catch (const std::exception &error) {
        report.fail(what + ": sizes that wrap are refused otherwise: " + error.what());
    }
}

template <class E> void check_rows(const Shape &shape, Report &report) {
    using T = fastsoftmax::Computed<E>;
    const auto read = [](Broadcast<E> &x) { return x.template array<const E>(); };
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
        Broadcast<E> x(shape), y(shape);
        T m = 7, s = 7;
        std::int64_t index = 7;
        refuses(report, "online", [&] { fastsoftmax::online<E>(read(x), y.array(), axis); });
        refuses(report, "log_softmax",
                [&] { fastsoftmax::log_softmax<E>(read(x), y.array(), axis); });
        refuses(report, "normalizer", [&] { fastsoftmax::normalizer<E>(read(x), &m, &s, axis); });
        refuses(report, "logsumexp", [&] { fastsoftmax::logsumexp<E>(read(x), &m, axis); });
        for (const std::size_t k : {std::size_t{1}, std::size_t{65}, shape[axis]})
            refuses(report, "topk",
                    [&] { fastsoftmax::topk<E>(read(x), k, &y.element, &index, axis); });
        if constexpr (std::is_same_v<E, T>)
            refuses(report, "scan", [&] { fastsoftmax::scan<E>(read(x), &m, &s, axis); });
        if (m != 7 || s != 7 || index != 7)
            report.fail("a refused size has results");
    }
}

void check_contiguous(std::size_t rows, std::size_t n, Report &report) {
    namespace int8 = fastsoftmax::int8;
    float x = 0, y = 0;
    const std::int8_t bytes = 0;
    std::int16_t words = 0;
    refuses(report, "online", [&] { fastsoftmax::online(&x, &y, rows, n); });
    refuses(report, "hccs", [&] { int8::hccs(&bytes, &words, rows, n, {600, 9, 63}); });
    refuses(report, "softmax", [&] { int8::softmax(&bytes, &words, rows, n, 0.1); });
}

void check_states(Report &report) {
    // 144 + 416 * blocks elements are few in 64 bits
    const std::size_t blocks = (most - 143) / 416 + 1;
    const Shape wrapping[] = {
        {16 * blocks, 1}, {1, 768614336404564656}, {most, 1},    {1, most}, {most - 14, 1},
        {half, half},     {sign / 4, 1},           {1, sign / 4}};
    for (const Shape &d : wrapping)
        for (const bool logs : {false, true}) {
            float state = 7;
            refuses(report, "heinsen_size", [&] { fastsoftmax::heinsen_size(d[0], d[1], logs); });
            refuses(report, "heinsen_start",
                    [&] { fastsoftmax::heinsen_start(&state, d[0], d[1], false, logs); });
            refuses(report, "heinsen", [&] {
                fastsoftmax::heinsen<float>(
                    &state, {&state, nullptr, nullptr, &state, 1, 1, d[0], d[1], logs});
            });
            if (state != 7)
                report.fail("a state of refused size is written");
        }
}

void check_tokens(Report &report) {
    std::vector<float> state(fastsoftmax::heinsen_size(4, 4)), tokens(4, 0.f);
    fastsoftmax::heinsen_start(state.data(), 4, 4);
    const std::vector<float> before = state;
    const auto call = [&](std::size_t heads, std::size_t n, int threads) {
        fastsoftmax::heinsen<float>(
            state.data(),
            {tokens.data(), tokens.data(), tokens.data(), tokens.data(), heads, n, 4, 4},
            {.threads = threads});
    };
    for (const auto &[heads, n] :
         {std::pair{most, std::size_t{1}}, {sign / 4, 1}, {1, sign}, {half, half}})
        refuses(report, "heinsen", [&, heads = heads, n = n] { call(heads, n, 1); });
    try {
        call(1, 1, -1);
        report.fail("heinsen takes -1 threads");
    } catch (const std::invalid_argument &error) {
        if (std::string(error.what()).find("threads must be at least 1") == std::string::npos)
            report.fail(std::string("-1 threads are refused otherwise: ") + error.what());
    }
    if (state != before || tokens != std::vector<float>(4, 0.f))
        report.fail("a refused call of heinsen writes");
}

/// Nothing beyond a state is written, whatever it says of tokens that wait.
template <class T> void check_waiting(Report &report) {
    constexpr std::size_t d_k = 3, d_v = 5, at = 2 * 16; // behind m and z
    const std::size_t size = fastsoftmax::heinsen_size(d_k, d_v);
    const std::vector<T> tokens(d_k + d_v, T(0));
    constexpr T infinity = std::numeric_limits<T>::infinity();
    for (const T count : {T(-1), T(8), T(9), T(40), T(1e6), T(1e38), infinity, -infinity, T(NAN)}) {
        std::vector<T> memory(3 * size, T(7)), y(d_v);
        T *const state = memory.data() + size;
        fastsoftmax::heinsen_start(state, d_k, d_v);
        state[at] = count;
        for (int t = 0; t < 9; ++t)
            fastsoftmax::heinsen<T>(
                state, {tokens.data(), tokens.data(), tokens.data(), y.data(), 1, 1, d_k, d_v});
        for (std::size_t i = 0; i < size; ++i)
            if (memory[i] != 7 || memory[2 * size + i] != 7)
                return report.fail("heinsen writes beyond a state that says " +
                                   std::to_string(count) + " tokens wait");
    }
}

} // namespace

void check_sizes(Report &report) {
    for (const Shape &shape : {Shape{half, half}, Shape{100, sign}, Shape{most, most},
                               Shape{half, 100, half / 2, 500}, Shape{sign / 2, 100}}) {
        check_rows<float>(shape, report);
        check_rows<double>(shape, report);
        check_rows<fastsoftmax::float16>(shape, report);
    }
    for (const auto &[rows, n] : {std::pair{half, half}, {std::size_t{1}, sign}, {3, most / 3 + 1}})
        check_contiguous(rows, n, report);
    check_states(report);
    check_tokens(report);
    check_waiting<float>(report);
    check_waiting<double>(report);
}

} // namespace check
