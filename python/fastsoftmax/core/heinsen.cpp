// Heinsen attention on contiguous arrays of one float dtype.
#include "fastsoftmax/heinsen.hpp"
#include "module.hpp"
#include "options.hpp"

namespace fastsoftmax::python {
namespace {

bool contiguous(const Buffer &a) {
    std::ptrdiff_t stride = a.is_double() ? 8 : 4;
    for (std::size_t i = a.dimensions(); i-- > 0;) {
        if (a.shape()[i] > 1 && a.strides()[i] != stride)
            return false;
        stride *= static_cast<std::ptrdiff_t>(a.shape()[i]);
    }
    return true;
}

/// One of q, k, v: rows of the width given for each head of the state, one or n of them. Sets n.
struct Tokens {
    Tokens(nb::handle object, const Buffer &like, std::size_t heads, std::size_t width)
        : given(!object.is_none()), buffer(object, false) {
        if (!given)
            return;
        good = buffer.element() == like.element() && buffer.dimensions() >= 1 &&
               buffer.shape()[buffer.dimensions() - 1] == width && contiguous(buffer) &&
               buffer.elements() % (heads * width) == 0;
        if (good)
            n = buffer.elements() / (heads * width);
    }
    template <class T> const T *data() const { return given ? buffer.data<const T>() : nullptr; }

    bool given, good = true;
    Buffer buffer;
    std::size_t n = 0;
};

/// states: [heads, heinsen_size]. Python sees to it that batches agree, where anything but a plain
/// array of the state's own batch comes; here the sizes must.
nb::object heinsen(nb::handle states, nb::handle q, nb::handle k, nb::handle v, nb::handle out,
                   std::size_t d_k, std::size_t d_v, nb::handle threads, nb::handle isa) {
    const Buffer s(states, true), y(out, true);
    const nb::str exact("exact"); // the options hold a view of it
    Options options;
    if (!s.is_float() || s.dimensions() != 2 || !contiguous(s) ||
        s.shape()[1] != heinsen_size(d_k, d_v) || s.shape()[0] == 0 ||
        !read_options(exact, isa, threads, options))
        return nb::borrow(Py_False);
    const std::size_t heads = s.shape()[0];
    const Tokens qs(q, s, heads, d_k), ks(k, s, heads, d_k), vs(v, s, heads, d_v);
    const std::size_t n = qs.given ? qs.n : ks.n;
    if (!qs.good || !ks.good || !vs.good || ks.given != vs.given || (ks.given && ks.n != n) ||
        (vs.given && vs.n != n) || !(qs.given || ks.given))
        return nb::borrow(Py_False);
    if (qs.given && (y.element() != s.element() || !contiguous(y) ||
                     y.elements() != heads * n * d_v || y.overlaps(s) || y.overlaps(qs.buffer) ||
                     (ks.given && (y.overlaps(ks.buffer) || y.overlaps(vs.buffer)))))
        return nb::borrow(Py_False);
    run(heads * n * d_v * 8, [&] {
        with_element(s, false, [&](auto zero) {
            using T = decltype(zero);
            if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>)
                fastsoftmax::heinsen<T>(s.data<T>(),
                                        {qs.data<T>(), ks.data<T>(), vs.data<T>(),
                                         qs.given ? y.data<T>() : nullptr, heads, n, d_k, d_v},
                                        options);
        });
    });
    return nb::borrow(qs.given ? out : nb::handle(Py_True));
}

void start(nb::handle states, std::size_t d_k, std::size_t d_v, bool zeros) {
    const Buffer s(states, true);
    if (!s.is_float() || s.dimensions() != 2 || !contiguous(s) ||
        s.shape()[1] != heinsen_size(d_k, d_v))
        throw std::invalid_argument("wants states of [heads, heinsen_size(d_k, d_v)]");
    with_element(s, false, [&](auto zero) {
        using T = decltype(zero);
        if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double>)
            for (std::size_t h = 0; h < s.shape()[0]; ++h)
                heinsen_start<T>(s.data<T>() + h * s.shape()[1], d_k, d_v, zeros);
    });
}

} // namespace

void add_heinsen(nb::module_ &module) {
    const auto any = [](const char *name) { return nb::arg(name).none(); };
    module.def("heinsen", &heinsen, any("states"), any("q"), any("k"), any("v"), any("out"),
               nb::arg("d_k"), nb::arg("d_v"), any("threads"), any("isa"));
    module.def("heinsen_start", &start);
    module.def("heinsen_size", &heinsen_size);
}

} // namespace fastsoftmax::python
