// The public operations.
#include "module.hpp"
#include "options.hpp"

namespace fastsoftmax::python {
namespace {

nb::object online(nb::handle logits, nb::handle out, nb::handle variant, nb::handle axis,
                  nb::handle threads, nb::handle isa) {
    const Buffer x(logits, false);
    Options options;
    if (!x || !read_options(variant, isa, threads, options))
        return nb::borrow(Py_False);
    const std::ptrdiff_t along = axis_of(axis, x.dimensions());
    if (along < 0)
        return nb::borrow(Py_False);
    nb::object result = out.is_none() ? numpy->empty_like(logits) : nb::borrow(out);
    const Buffer y(result, true);
    if (!y || y.is_double() != x.is_double() || !std::ranges::equal(x.shape(), y.shape()) ||
        (!out.is_none() && x.overlaps(y) && !x.same_layout(y)))
        return nb::borrow(Py_False);
    run(x.elements(), [&] {
        with_dtype(x.is_double(), [&](auto zero) {
            using T = decltype(zero);
            fastsoftmax::online<T>(x.array<const T>(), y.array<T>(),
                                   static_cast<std::size_t>(along), options);
        });
    });
    return result;
}

/// A new array with the shape of x but for one axis.
nb::object reduced(const Buffer &x, std::ptrdiff_t axis) {
    nb::list shape;
    for (std::size_t i = 0; i < x.dimensions(); ++i)
        if (static_cast<std::ptrdiff_t>(i) != axis)
            shape.append(x.shape()[i]);
    return numpy->empty(nb::tuple(shape), x.is_double() ? numpy->float64 : numpy->float32);
}

/// Calls f(x, axis, options, results...) with as many new arrays as Results says.
template <int Results, class F>
nb::object reduce(nb::handle logits, nb::handle variant, nb::handle axis, nb::handle threads,
                  nb::handle isa, const F &f) {
    const Buffer x(logits, false);
    Options options;
    if (!x || !read_options(variant, isa, threads, options))
        return nb::borrow(Py_False);
    const std::ptrdiff_t along = axis_of(axis, x.dimensions());
    if (along < 0)
        return nb::borrow(Py_False);
    const nb::object first = reduced(x, along);
    const nb::object second = Results > 1 ? reduced(x, along) : nb::object();
    {
        const Buffer a(first, true);
        const Buffer b(Results > 1 ? second : first, true);
        run(std::max(x.elements(), a.elements()), [&] {
            with_dtype(x.is_double(), [&](auto zero) {
                using T = decltype(zero);
                f(x.array<const T>(), a.array<T>().data, b.array<T>().data,
                  static_cast<std::size_t>(along), options);
            });
        });
    }
    return Results > 1 ? nb::object(nb::make_tuple(first, second)) : first;
}

nb::object normalizer(nb::handle x, nb::handle variant, nb::handle axis, nb::handle threads,
                      nb::handle isa) {
    return reduce<2>(x, variant, axis, threads, isa,
                     [](auto a, auto *m, auto *s, auto along, auto options) {
                         fastsoftmax::normalizer(a, m, s, along, options);
                     });
}

nb::object scan(nb::handle x, nb::handle variant, nb::handle axis, nb::handle threads,
                nb::handle isa) {
    return reduce<2>(x, variant, axis, threads, isa,
                     [](auto a, auto *m, auto *s, auto along, auto options) {
                         fastsoftmax::scan(a, m, s, along, options);
                     });
}

nb::object logsumexp(nb::handle x, nb::handle variant, nb::handle axis, nb::handle threads,
                     nb::handle isa) {
    return reduce<1>(x, variant, axis, threads, isa,
                     [](auto a, auto *m, auto *, auto along, auto options) {
                         fastsoftmax::logsumexp(a, m, along, options);
                     });
}

} // namespace

void add_operations(nb::module_ &module) {
    // None has to come through everywhere: saying what is wrong with it is left to Python
    const auto any = [](const char *name) { return nb::arg(name).none(); };
    module.def("online", &online, any("logits"), any("out"), any("variant"), any("axis"),
               any("threads"), any("isa"));
    for (const auto &[name, f] : {std::pair{"normalizer", &normalizer},
                                  std::pair{"logsumexp", &logsumexp}, std::pair{"scan", &scan}})
        module.def(name, f, any("logits"), any("variant"), any("axis"), any("threads"), any("isa"));
}

} // namespace fastsoftmax::python
