// Casts between Python and the C++ API, and nothing else.
//
// Each function takes the well-formed case: a plain float32 or float64 ndarray, an axis in range,
// an out= of the same kind that doesn't half overlap. For anything else it returns False and has
// written nothing; Python then finds out what is wrong and says it in words (_arrays.py). Unknown
// variants and ISAs raise here, from the registry, which knows what there is.
#include "dispatch/registry.hpp"
#include "dispatch/thread_count.hpp"
#include "fastsoftmax/fastsoftmax.hpp"
#include "kernels/arguments.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>

namespace nb = nanobind;
namespace fsm = fastsoftmax;

namespace {

constexpr std::size_t worth_releasing = 8192; // elements: 36 us on scalar, 3 us on AVX-512

struct Numpy {
    nb::object ndarray, empty, empty_like, float32, float64;
};
Numpy *numpy; // filled when the module is imported, never freed: its types outlive us

/// A buffer of an exact ndarray of native float32 or float64, given back at the end.
class Buffer {
  public:
    Buffer(nb::handle object, bool writable) {
        if (reinterpret_cast<PyObject *>(Py_TYPE(object.ptr())) != numpy->ndarray.ptr())
            return;
        if (PyObject_GetBuffer(object.ptr(), &view_, writable ? PyBUF_RECORDS : PyBUF_RECORDS_RO) !=
            0) {
            PyErr_Clear();
            return;
        }
        held_ = true;
        // NumPy puts "=" before the type of elements that may lie at odd addresses
        const std::string_view format = view_.format ? view_.format : "";
        good_ = format == "f" || format == "d" || format == "=f" || format == "=d";
    }
    ~Buffer() {
        if (held_)
            PyBuffer_Release(&view_);
    }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;

    explicit operator bool() const { return good_; }
    bool is_double() const { return view_.itemsize == sizeof(double); }
    std::size_t dimensions() const { return static_cast<std::size_t>(view_.ndim); }
    std::size_t elements() const {
        return static_cast<std::size_t>(view_.len) / static_cast<std::size_t>(view_.itemsize);
    }
    /// Py_ssize_t is ptrdiff_t here, and extents are never negative.
    std::span<const std::size_t> shape() const {
        return {reinterpret_cast<const std::size_t *>(view_.shape), dimensions()};
    }
    std::span<const std::ptrdiff_t> strides() const { return {view_.strides, dimensions()}; }
    template <class T> fsm::Array<T> array() const {
        return {static_cast<T *>(view_.buf), shape(), strides()};
    }
    template <class T> T *contiguous() const {
        if (!good_ || view_.ndim != 1 || is_double() != (sizeof(T) == 8) ||
            (view_.shape[0] > 1 && view_.strides[0] != static_cast<Py_ssize_t>(sizeof(T))))
            throw std::invalid_argument("wants contiguous 1-D arrays of one float dtype");
        return static_cast<T *>(view_.buf);
    }

    bool same_layout(const Buffer &other) const {
        return view_.buf == other.view_.buf && std::ranges::equal(strides(), other.strides());
    }
    bool overlaps(const Buffer &other) const {
        const auto [a, a_end] = extent();
        const auto [b, b_end] = other.extent();
        return a < b_end && b < a_end;
    }

  private:
    std::pair<std::uintptr_t, std::uintptr_t> extent() const {
        std::uintptr_t low = reinterpret_cast<std::uintptr_t>(view_.buf), high = low;
        if (view_.len == 0)
            return {low, low};
        for (std::size_t i = 0; i < dimensions(); ++i) {
            const auto reach = static_cast<std::uintptr_t>(view_.strides[i] * (view_.shape[i] - 1));
            (view_.strides[i] < 0 ? low : high) += reach; // wraps to the right address
        }
        return {low, high + static_cast<std::uintptr_t>(view_.itemsize)};
    }

    Py_buffer view_;
    bool held_ = false, good_ = false;
};

/// The axis counted from the front, or -1 if it isn't an int in range.
std::ptrdiff_t axis_of(nb::handle axis, std::size_t dimensions) {
    if (!PyLong_CheckExact(axis.ptr()))
        return -1;
    const long value = PyLong_AsLong(axis.ptr());
    if (value == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        return -1;
    }
    const auto n = static_cast<long>(dimensions);
    return value >= 0 ? (value < n ? value : -1) : (value >= -n ? value + n : -1);
}

/// Variant and ISA as text, which belongs to the Python objects, and the number of threads.
bool read_options(nb::handle variant, nb::handle isa, nb::handle threads, fsm::Options &options) {
    const auto text = [](nb::handle object, std::string_view &view) {
        if (!PyUnicode_Check(object.ptr()))
            return false;
        Py_ssize_t size = 0;
        const char *data = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
        if (!data)
            throw nb::python_error();
        view = {data, static_cast<std::size_t>(size)};
        return true;
    };
    if (!threads.is_none()) {
        if (!PyLong_CheckExact(threads.ptr()))
            return false;
        const long count = PyLong_AsLong(threads.ptr());
        if (count < 1 || count > fsm::most_threads) {
            PyErr_Clear();
            return false;
        }
        options.threads = static_cast<int>(count);
    }
    // an empty name means "the best" to the C++ API: Python says None for that
    return text(variant, options.variant) &&
           (isa.is_none() || (text(isa, options.isa) && !options.isa.empty()));
}

template <class F> void run(std::size_t elements, const F &f) {
    if (elements < worth_releasing)
        return f();
    const nb::gil_scoped_release released;
    f();
}

template <class F> void with_dtype(bool is_double, const F &f) {
    if (is_double)
        f(double{});
    else
        f(float{});
}

nb::object online(nb::handle logits, nb::handle out, nb::handle variant, nb::handle axis,
                  nb::handle threads, nb::handle isa) {
    const Buffer x(logits, false);
    fsm::Options options;
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
            fsm::online<T>(x.array<const T>(), y.array<T>(), static_cast<std::size_t>(along),
                           options);
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
    fsm::Options options;
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
                         fsm::normalizer(a, m, s, along, options);
                     });
}

nb::object scan(nb::handle x, nb::handle variant, nb::handle axis, nb::handle threads,
                nb::handle isa) {
    return reduce<2>(x, variant, axis, threads, isa,
                     [](auto a, auto *m, auto *s, auto along, auto options) {
                         fsm::scan(a, m, s, along, options);
                     });
}

nb::object logsumexp(nb::handle x, nb::handle variant, nb::handle axis, nb::handle threads,
                     nb::handle isa) {
    return reduce<1>(x, variant, axis, threads, isa,
                     [](auto a, auto *m, auto *, auto along, auto options) {
                         fsm::logsumexp(a, m, along, options);
                     });
}

void require_same(const Buffer &a, const Buffer &b) {
    if (!a || !b || a.is_double() != b.is_double() || !std::ranges::equal(a.shape(), b.shape()))
        throw std::invalid_argument("wants contiguous 1-D arrays of one float dtype");
}

void weight(const std::string &variant, const std::string &isa, nb::handle d, nb::handle out) {
    const Buffer from(d, false), to(out, true);
    require_same(from, to);
    with_dtype(from.is_double(), [&](auto zero) {
        using T = decltype(zero);
        const fsm::WeightArguments<T> arguments{from.contiguous<const T>(), to.contiguous<T>(),
                                                from.elements()};
        const auto &kernel = fsm::choose_kernel("weight", variant, fsm::dtype_name<T>, isa);
        run(from.elements(), [&] { fsm::call(kernel, arguments); });
    });
}

void update(const std::string &variant, const std::string &isa, nb::handle m, nb::handle s,
            nb::handle x, nb::handle out, std::size_t repeats) {
    const Buffer ms(m, false), ss(s, false), xs(x, false), to(out, true);
    require_same(ms, to);
    require_same(ss, to);
    require_same(xs, to);
    with_dtype(to.is_double(), [&](auto zero) {
        using T = decltype(zero);
        const fsm::UpdateArguments<T> arguments{ms.contiguous<const T>(),
                                                ss.contiguous<const T>(),
                                                xs.contiguous<const T>(),
                                                to.contiguous<T>(),
                                                to.elements(),
                                                repeats};
        const auto &kernel = fsm::choose_kernel("update", variant, fsm::dtype_name<T>, isa);
        run(to.elements() * repeats, [&] { fsm::call(kernel, arguments); });
    });
}

nb::list kernels() {
    nb::list all;
    for (const fsm::KernelInfo &k : fsm::kernels()) {
        nb::dict row;
        row["id"] = k.id;
        row["op"] = k.op;
        row["variant"] = k.variant;
        row["isa"] = k.isa;
        row["dtype"] = k.dtype;
        row["lanes"] = k.lanes;
        row["bound"] = k.bound;
        row["bound_kind"] = k.bound_kind;
        row["form"] = k.form;
        row["domain"] = k.domain;
        row["value_at_zero"] = k.value_at_zero;
        row["tail"] = k.tail;
        row["monotone"] = k.monotone;
        row["operations"] = k.operations;
        row["rescale"] = k.rescale;
        row["source"] = k.source;
        row["available"] = k.available;
        all.append(row);
    }
    return all;
}

} // namespace

NB_MODULE(_core, module) {
    const nb::object np = nb::module_::import_("numpy");
    numpy = new Numpy{np.attr("ndarray"), np.attr("empty"), np.attr("empty_like"),
                      np.attr("float32"), np.attr("float64")};
    // None has to come through everywhere: saying what is wrong with it is left to Python
    const auto any = [](const char *name) { return nb::arg(name).none(); };
    module.def("online", &online, any("logits"), any("out"), any("variant"), any("axis"),
               any("threads"), any("isa"));
    for (const auto &[name, f] : {std::pair{"normalizer", &normalizer},
                                  std::pair{"logsumexp", &logsumexp}, std::pair{"scan", &scan}})
        module.def(name, f, any("logits"), any("variant"), any("axis"), any("threads"), any("isa"));
    module.def("weight", &weight);
    module.def("update", &update);
    module.def("kernels", &kernels);
    module.def("variants", [](const std::string &op) { return fsm::variants(op); });
    module.def("isas", &fsm::isas);
    module.def("environment_problem", [] {
        return fsm::environment_problem().empty() ? fsm::threads_problem()
                                                  : fsm::environment_problem();
    });
    module.def("default_isa", [](const std::string &op) {
        const fsm::KernelRow *row = fsm::find_kernel(op, "exact", "float32");
        return std::string(row ? row->isa : "");
    });
    module.def("default_threads", &fsm::default_threads);
    module.attr("compiler") = fsm::compiler();
    module.attr("most_threads") = fsm::most_threads;
    module.attr("version") = fsm::version();
}
