// Heinsen attention on contiguous arrays of one float dtype.
#include "fastsoftmax/heinsen.hpp"
#include "common/heinsen_layout.hpp"
#include "common/sizes.hpp"
#include "kernels/arguments.hpp"
#include "module.hpp"
#include "options.hpp"

namespace fastsoftmax::python {
namespace {

/// Kernels load whole elements, so the first of them must lie where an element may.
bool contiguous(const Buffer &a) {
    std::ptrdiff_t stride = a.is_double() ? 8 : 4;
    if (reinterpret_cast<std::uintptr_t>(a.data<void>()) % static_cast<std::uintptr_t>(stride) != 0)
        return false;
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
               buffer.elements() % times(heads, width) == 0;
        if (good)
            n = buffer.elements() / times(heads, width);
    }
    template <class T> const T *data() const { return given ? buffer.data<const T>() : nullptr; }

    bool given, good = true;
    Buffer buffer;
    std::size_t n = 0;
};

/// The states of a heinsen.State, and what they are for.
struct States {
    States(nb::handle object, std::size_t d_k, std::size_t d_v, bool log_values)
        : buffer(object, true), d_k(d_k), d_v(d_v), log_values(log_values),
          good(d_k > 0 && d_v > 0 && buffer.is_float() && buffer.dimensions() == 2 &&
               contiguous(buffer) && buffer.shape()[1] == heinsen_size(d_k, d_v, log_values)) {}
    std::size_t heads() const { return buffer.shape()[0]; }

    Buffer buffer;
    std::size_t d_k, d_v;
    bool log_values, good;
};

/// Runs what has been checked; y is null where there is no q.
void compute(const States &s, const Tokens &q, const Tokens &k, const Tokens &v, std::size_t n,
             bool log_output, void *y, const Options &options) {
    const auto as = [&](auto zero) {
        using T = decltype(zero);
        run(product({s.heads(), n, s.d_v, 8}), [&] {
            fastsoftmax::heinsen<T>(s.buffer.data<T>(),
                                    {q.data<T>(), k.data<T>(), v.data<T>(), static_cast<T *>(y),
                                     s.heads(), n, s.d_k, s.d_v, s.log_values, log_output},
                                    options);
        });
    };
    s.buffer.is_double() ? as(double{}) : as(float{});
}

/// states: [heads, heinsen_size]. Python sees to it that batches agree, where anything but a plain
/// array of the state's own batch comes; here the sizes must.
nb::object heinsen(nb::handle states, nb::handle q, nb::handle k, nb::handle v, std::size_t d_k,
                   std::size_t d_v, bool log_values, bool log_output, nb::handle out,
                   nb::handle threads, nb::handle isa) {
    const States s(states, d_k, d_v, log_values);
    const Buffer y(out, true);
    const nb::str exact("exact"); // the options hold a view of it
    Options options;
    if (!s.good || s.heads() == 0 || !read_options(exact, threads, isa, options))
        return nb::borrow(Py_False);
    const std::size_t heads = s.heads();
    const Tokens qs(q, s.buffer, heads, d_k), ks(k, s.buffer, heads, d_k),
        vs(v, s.buffer, heads, d_v);
    const std::size_t n = qs.given ? qs.n : ks.n;
    if (!qs.good || !ks.good || !vs.good || ks.given != vs.given || (ks.given && ks.n != n) ||
        (vs.given && vs.n != n) || !(qs.given || ks.given))
        return nb::borrow(Py_False);
    if (qs.given &&
        (y.element() != s.buffer.element() || !contiguous(y) ||
         y.elements() != product({heads, n, d_v}) || y.overlaps(s.buffer) ||
         y.overlaps(qs.buffer) || (ks.given && (y.overlaps(ks.buffer) || y.overlaps(vs.buffer)))))
        return nb::borrow(Py_False);
    compute(s, qs, ks, vs, n, log_output, qs.given ? y.data<void>() : nullptr, options);
    return nb::borrow(qs.given ? out : nb::handle(Py_True));
}

/// One token of each head: the arrays have the state's own batch, no more. False for all that has
/// to be looked at more closely.
nb::object step(nb::handle states, nb::handle q, nb::handle k, nb::handle v, nb::tuple batch,
                std::size_t d_k, std::size_t d_v) {
    const States s(states, d_k, d_v, false);
    if (!s.good || s.heads() == 0)
        return nb::borrow(Py_False);
    const std::size_t heads = s.heads();
    const Tokens qs(q, s.buffer, heads, d_k), ks(k, s.buffer, heads, d_k),
        vs(v, s.buffer, heads, d_v);
    const auto fits = [&](const Tokens &tokens) {
        bool same = tokens.given && tokens.good && tokens.n == 1 &&
                    tokens.buffer.dimensions() == batch.size() + 1;
        for (std::size_t i = 0; same && i < batch.size(); ++i)
            same = PyLong_AsSize_t(batch[i].ptr()) == tokens.buffer.shape()[i];
        return same;
    };
    if (!fits(qs) || !fits(ks) || !fits(vs))
        return nb::borrow(Py_False);
    nb::object out = new_like(v);
    compute(s, qs, ks, vs, 1, false, Buffer(out, true).data<void>(), {});
    return out;
}

void start(nb::handle states, std::size_t d_k, std::size_t d_v, bool zeros, bool log_values) {
    const States s(states, d_k, d_v, log_values);
    if (!s.good)
        throw std::invalid_argument("wants states of [heads, heinsen_size(d_k, d_v, log_values)]");
    const auto as = [&](auto zero) {
        using T = decltype(zero);
        for (std::size_t h = 0; h < s.heads(); ++h)
            heinsen_start<T>(s.buffer.data<T>() + h * s.buffer.shape()[1], d_k, d_v, zeros,
                             log_values);
    };
    s.buffer.is_double() ? as(double{}) : as(float{});
}

/// The numbers of common/heinsen_layout.hpp, for what Python does with states.
nb::dict layout() {
    nb::dict numbers;
    numbers["block"] = heinsen_block;
    numbers["waiting"] = heinsen_waiting;
    numbers["line"] = heinsen_line_bytes;
    const auto of_dtype = [&](auto zero) {
        using T = decltype(zero);
        nb::dict of;
        of["lowest"] = heinsen_lowest<T>;
        of["floor"] = heinsen_floor<T>;
        of["nothing"] = heinsen_nothing<T>;
        numbers[dtype_name<T>] = of;
    };
    of_dtype(float{});
    of_dtype(double{});
    return numbers;
}

} // namespace

void add_heinsen(nb::module_ &module) {
    const auto any = [](const char *name) { return nb::arg(name).none(); };
    module.def("heinsen", &heinsen, any("states"), any("q"), any("k"), any("v"), nb::arg("d_k"),
               nb::arg("d_v"), nb::arg("log_values"), nb::arg("log_output"), any("out"),
               any("threads"), any("isa"));
    module.def("heinsen_step", &step, any("states"), any("q"), any("k"), any("v"), nb::arg("batch"),
               nb::arg("d_k"), nb::arg("d_v"));
    module.def("heinsen_start", &start);
    module.def("heinsen_size", &heinsen_size);
    module.attr("heinsen_layout") = layout();
}

} // namespace fastsoftmax::python
