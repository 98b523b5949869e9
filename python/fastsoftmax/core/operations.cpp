// The public operations.
#include "adaptation.hpp"
#include "module.hpp"
#include "options.hpp"

#include <vector>

namespace fastsoftmax::python {
namespace {

/// What all operations take. `ready` says whether everything is of the well-formed kind.
struct Call {
    Call(nb::handle logits, nb::handle variant, nb::handle axis, nb::handle scale, nb::handle mask,
         nb::handle sink, nb::handle threads, nb::handle isa, bool bfloats)
        : x(logits, false), bfloats(bfloats) {
        const bool known = x.is_float() || x.element() == Element::float16 ||
                           (x.element() == Element::word && bfloats);
        if (!known || !read_options(variant, threads, isa, options))
            return;
        along = axis_of(axis, x.dimensions());
        ready = along >= 0 && adapting.read(x, static_cast<std::size_t>(along), scale, mask, sink);
    }

    Buffer x;
    bool bfloats, ready = false;
    Options options;
    std::ptrdiff_t along = -1;
    Adapting adapting;
};

template <class F> nb::object map(nb::handle logits, nb::handle out, const Call &call, const F &f) {
    if (!call.ready)
        return nb::borrow(Py_False);
    nb::object result = out.is_none() ? new_like(logits) : nb::borrow(out);
    const Buffer y(result, true);
    if (y.element() != call.x.element() || !std::ranges::equal(call.x.shape(), y.shape()) ||
        (!out.is_none() && (!y.apart() || (call.x.overlaps(y) && !call.x.same_layout(y)) ||
                            call.adapting.overlaps(y))))
        return nb::borrow(Py_False);
    run(call.x.elements(), [&] {
        with_element(call.x, call.bfloats, [&](auto zero) {
            using E = decltype(zero);
            f(call.x.array<const E>(), y.array<E>(), static_cast<std::size_t>(call.along),
              call.options, call.adapting.get<Computed<E>>());
        });
    });
    return result;
}

nb::object online(nb::handle logits, nb::handle variant, nb::handle axis, nb::handle scale,
                  nb::handle mask, nb::handle sink, nb::handle out, nb::handle threads,
                  nb::handle isa, bool bfloats) {
    return map(logits, out, {logits, variant, axis, scale, mask, sink, threads, isa, bfloats},
               [](auto x, auto y, auto along, const auto &options, const auto &adaptation) {
                   fastsoftmax::online(x, y, along, options, adaptation);
               });
}

nb::object log_softmax(nb::handle logits, nb::handle variant, nb::handle axis, nb::handle scale,
                       nb::handle mask, nb::handle sink, nb::handle out, nb::handle threads,
                       nb::handle isa, bool bfloats) {
    return map(logits, out, {logits, variant, axis, scale, mask, sink, threads, isa, bfloats},
               [](auto x, auto y, auto along, const auto &options, const auto &adaptation) {
                   fastsoftmax::log_softmax(x, y, along, options, adaptation);
               });
}

/// The extents of x but for one axis.
std::vector<std::size_t> shape_without(const Buffer &x, std::ptrdiff_t axis) {
    std::vector<std::size_t> shape(x.shape().begin(), x.shape().end());
    shape.erase(shape.begin() + axis);
    return shape;
}

/// Calls f(x, results..., axis, options, adaptation) with as many new arrays as Results says.
template <int Results, class F> nb::object reduce(const Call &call, const F &f) {
    if (!call.ready)
        return nb::borrow(Py_False);
    const std::vector<std::size_t> shape = shape_without(call.x, call.along);
    const Element computed = call.x.is_double() ? Element::float64 : Element::float32;
    const nb::object first = new_array(shape, computed);
    const nb::object second = Results > 1 ? new_array(shape, computed) : nb::object();
    {
        const Buffer a(first, true);
        const Buffer b(Results > 1 ? second : first, true);
        run(std::max(call.x.elements(), a.elements()), [&] {
            with_element(call.x, call.bfloats, [&](auto zero) {
                using E = decltype(zero);
                using T = Computed<E>;
                f(call.x.array<const E>(), a.data<T>(), b.data<T>(),
                  static_cast<std::size_t>(call.along), call.options, call.adapting.get<T>());
            });
        });
    }
    return Results > 1 ? nb::object(nb::make_tuple(first, second)) : first;
}

nb::object normalizer(nb::handle x, nb::handle variant, nb::handle axis, nb::handle scale,
                      nb::handle mask, nb::handle sink, nb::handle threads, nb::handle isa,
                      bool bfloats) {
    return reduce<2>(
        {x, variant, axis, scale, mask, sink, threads, isa, bfloats},
        [](auto a, auto *m, auto *s, auto along, const auto &options, const auto &adaptation) {
            fastsoftmax::normalizer(a, m, s, along, options, adaptation);
        });
}

nb::object logsumexp(nb::handle x, nb::handle variant, nb::handle axis, nb::handle scale,
                     nb::handle mask, nb::handle sink, nb::handle threads, nb::handle isa,
                     bool bfloats) {
    return reduce<1>(
        {x, variant, axis, scale, mask, sink, threads, isa, bfloats},
        [](auto a, auto *m, auto *, auto along, const auto &options, const auto &adaptation) {
            fastsoftmax::logsumexp(a, m, along, options, adaptation);
        });
}

/// Probabilities and places of the k largest; results have the axis last, k in place of its extent.
nb::object topk(nb::handle logits, nb::handle k, nb::handle variant, nb::handle axis,
                nb::handle scale, nb::handle mask, nb::handle sink, nb::handle threads,
                nb::handle isa, bool bfloats) {
    const Call call(logits, variant, axis, scale, mask, sink, threads, isa, bfloats);
    if (!call.ready || !sink.is_none() || !PyLong_CheckExact(k.ptr()))
        return nb::borrow(Py_False);
    const auto extent = call.x.shape()[static_cast<std::size_t>(call.along)];
    const std::size_t count = PyLong_AsSize_t(k.ptr());
    if (count > extent) {
        PyErr_Clear(); // of a k below 0 or beyond any size
        return nb::borrow(Py_False);
    }
    std::vector<std::size_t> shape = shape_without(call.x, call.along);
    shape.push_back(count);
    const nb::object p = new_array(shape, call.x.element());
    const nb::object places = new_array(shape, Element::int64);
    {
        const Buffer probabilities(p, true), index(places, true);
        run(call.x.elements(), [&] {
            with_element(call.x, call.bfloats, [&](auto zero) {
                using E = decltype(zero);
                fastsoftmax::topk(call.x.array<const E>(), count, probabilities.data<E>(),
                                  index.data<std::int64_t>(), static_cast<std::size_t>(call.along),
                                  call.options, call.adapting.get<Computed<E>>());
            });
        });
    }
    return nb::make_tuple(p, places);
}

nb::object scan(nb::handle x, nb::handle variant, nb::handle axis, nb::handle threads,
                nb::handle isa) {
    const Call call(x, variant, axis, nb::float_(1.0), nb::none(), nb::none(), threads, isa, false);
    if (!call.x.is_float())
        return nb::borrow(Py_False);
    return reduce<2>(call, [](auto a, auto *m, auto *s, auto along, const auto &options,
                              const auto &) {
        if constexpr (std::is_same_v<decltype(a.data), const std::remove_pointer_t<decltype(m)> *>)
            fastsoftmax::scan(a, m, s, along, options);
    });
}

} // namespace

void add_operations(nb::module_ &module) {
    module.def("lies_apart", [](nb::handle array) { return Buffer(array, false).apart(); });
    // None has to come through everywhere: saying what is wrong with it is left to Python
    const auto any = [](const char *name) { return nb::arg(name).none(); };
    for (const auto &[name, f] :
         {std::pair{"online", &online}, std::pair{"log_softmax", &log_softmax}})
        module.def(name, f, any("logits"), any("variant"), any("axis"), any("scale"), any("mask"),
                   any("sink"), any("out"), any("threads"), any("isa"), nb::arg("bfloats"));
    for (const auto &[name, f] :
         {std::pair{"normalizer", &normalizer}, std::pair{"logsumexp", &logsumexp}})
        module.def(name, f, any("logits"), any("variant"), any("axis"), any("scale"), any("mask"),
                   any("sink"), any("threads"), any("isa"), nb::arg("bfloats"));
    module.def("topk", &topk, any("logits"), any("k"), any("variant"), any("axis"), any("scale"),
               any("mask"), any("sink"), any("threads"), any("isa"), nb::arg("bfloats"));
    module.def("scan", &scan, any("logits"), any("variant"), any("axis"), any("threads"),
               any("isa"));
}

} // namespace fastsoftmax::python
