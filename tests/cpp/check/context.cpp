#include "check/checks.hpp"
#include "kernels/arguments.hpp"

namespace check {

template <class T> Context<T>::Context(const Case<T> &rows) : data(rows) {
    for (std::size_t r = 0; r < rows.rows; ++r)
        truth.push_back(truth_of(rows.row(r), rows.n));
}

template <class T> const T *Context<T>::weights(const Kernel &weight, std::size_t r) {
    const std::size_t n = data.n;
    if (cached_ != &weight) {
        cached_ = &weight;
        d_.assign(data.rows * n, -INFINITY);
        h_.assign(data.rows * n, 0);
        for (std::size_t row = 0; row < data.rows; ++row)
            if (truth[row].ordinary())
                for (std::size_t i = 0; i < n; ++i)
                    d_[row * n + i] = flushed(data.row(row)[i]) - flushed(truth[row].m);
        fastsoftmax::call(weight,
                          fastsoftmax::WeightArguments<T>{d_.data(), h_.data(), data.rows * n});
    }
    return h_.data() + r * n;
}

template class Context<float>;
template class Context<double>;

} // namespace check
