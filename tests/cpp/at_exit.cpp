// Calls made by a function that std::atexit runs after all that the library has registered there:
// threads of a program, too, may be inside a call while the process ends.
#include "fastsoftmax/fastsoftmax.hpp"
#include "fastsoftmax/heinsen.hpp"
#include "fastsoftmax/int8.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr std::size_t rows = 200, n = 2000;

/// Every family of operations, on threads of the pool as well, and the table.
std::vector<float> calls() {
    const std::vector<std::size_t> shape{rows, n}, heads{rows}, few{rows, 3};
    const std::vector<std::ptrdiff_t> floats{n * 4, 4}, halves{n * 2, 2}, bytes{n, 1}, none{0};
    std::vector<float> x(rows * n), y(rows * n);
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] = static_cast<float>(i % 17);
    fastsoftmax::online<float>({x.data(), shape, floats}, {y.data(), shape, floats}, 1);
    fastsoftmax::online<float>({x.data(), shape, floats}, {y.data(), shape, floats}, 1,
                               {.threads = 2});
    std::vector<fastsoftmax::float16> h(rows * n), top(rows * 3);
    std::vector<std::int64_t> index(rows * 3);
    fastsoftmax::topk<fastsoftmax::float16>({h.data(), shape, halves}, 3, top.data(), index.data(),
                                            1);
    const std::vector<std::int8_t> b(rows * n, 1);
    std::vector<std::int16_t> p(rows * n);
    const double scale = 0.1;
    fastsoftmax::int8::softmax<std::int16_t>({b.data(), shape, bytes}, {&scale, heads, none}, {},
                                             {p.data(), shape, halves}, {.variant = "u16"});
    std::vector<float> state(fastsoftmax::heinsen_size(8, 8, false));
    fastsoftmax::heinsen_start(state.data(), 8, 8, true, false);
    fastsoftmax::heinsen<float>(
        state.data(), {x.data(), x.data(), x.data(), y.data(), 1, 100, 8, 8, false, false}, {});
    if (fastsoftmax::kernels().empty() || fastsoftmax::isas().empty())
        throw std::runtime_error("the table is empty");
    return y;
}

std::vector<float> *expected;

void last() {
    try {
        if (calls() == *expected)
            return;
        std::puts("other results than before");
    } catch (const std::exception &error) {
        std::printf("failed: %s\n", error.what());
    }
    std::_Exit(1);
}

} // namespace

int main() {
    std::atexit(last); // before anything of the library, so after all of it
    expected = new std::vector<float>(calls());
}
