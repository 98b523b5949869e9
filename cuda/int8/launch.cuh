// Chooses the class of an int8 kernel by shape and alignment, and launches it.
#pragma once
#include "cuda/int8/long_rows.cuh"

#include <cstring>

namespace fastsoftmax::cuda {

/// The number of a method, all of which have a kernel in the same order; -1 if there is none.
template <class Method, std::size_t Count>
int number_of(const char *variant, const Kernel (&kernels)[Count], const Method (&methods)[Count]) {
    for (std::size_t i = 0; i < Count; ++i)
        if (std::strcmp(variant, kernels[i].variant.name) == 0)
            return static_cast<int>(methods[i]);
    return -1;
}

class Int8Launch {
    Int8Call call_{};
    std::int64_t all_ = 1; ///< rows

  public:
    explicit Int8Launch(const Int8Arguments &a) {
        call_.a = a;
        for (int d = 0; d < a.dims; ++d)
            all_ *= a.extent[d];
    }

    template <class Method> int run(const typename Method::Parameters &parameters) {
        if (all_ == 0 || call_.a.n == 0)
            return cudaSuccess;
        const std::int64_t rows = call_.a.rows_per_group;
        if (rows < 1 || call_.a.groups < 1 || all_ % rows != 0 ||
            all_ / rows % call_.a.groups != 0 || all_ >> 31 != 0 || call_.a.dims > max_outer)
            return cudaErrorInvalidValue;
        call_.rows = static_cast<unsigned>(rows);
        call_.sections = static_cast<unsigned>(all_ / rows);
        if (call_.a.n > 2048)
            return whole_blocks<Method>(parameters);
        constexpr bool whole_vectors = true, any_rows = false;
        if (!bulk())
            return call_.a.n <= 512 ? in_registers<Method, 1, any_rows>(parameters)
                                    : in_registers<Method, 4, any_rows>(parameters);
        // few lanes with much of a row each: less to reduce, and pairs of lanes fill a sector
        return call_.a.n <= 32   ? in_registers<Method, 1, whole_vectors>(parameters)
               : call_.a.n <= 64 ? in_registers<Method, 2, whole_vectors>(parameters)
                                 : in_registers<Method, 4, whole_vectors>(parameters);
    }

  private:
    /// Whether all rows consist of aligned vectors, at one stride.
    bool bulk() const {
        const Int8Arguments &a = call_.a;
        const auto fits = [](std::int64_t stride) {
            return stride % 16 == 0 && stride >= 0 &&
                   stride < 1 << 20; // offsets in a tile: 32 bits
        };
        return !a.mask && a.dims <= 1 && a.n % 16 == 0 && aligned_to(a.x, 16) &&
               aligned_to(a.y, 16) && fits(a.x_at.outer[0]) && fits(a.y_at.outer[0]);
    }
    static unsigned at_most(std::int64_t count, std::int64_t most) {
        return static_cast<unsigned>(count < most ? count : most);
    }
    /// Blocks stay for several tiles, since each has to prepare its parameters.
    dim3 grid(std::int64_t blocks) const {
        const unsigned sections = at_most(call_.sections, 65535);
        const std::int64_t most = 16 * std::int64_t{multiprocessors()};
        return dim3(at_most(blocks, most / sections + 1), sections);
    }
    template <class Method, int Vectors, bool Bulk>
    int in_registers(const typename Method::Parameters &parameters) {
        call_.lanes = 1;
        while (call_.lanes * 16 * Vectors < call_.a.n)
            call_.lanes *= 2;
        const unsigned rows = Int8Tile<Method, Vectors, Bulk>::rows * int8_threads / call_.lanes;
        return launch(int8_rows<Method, Vectors, Bulk>,
                      grid((std::int64_t{call_.rows} + rows - 1) / rows), dim3(int8_threads), 0,
                      call_.a.stream, call_, parameters);
    }
    template <class Method> int whole_blocks(const typename Method::Parameters &parameters) {
        return launch(int8_long_rows<Method>, grid(call_.rows), dim3(int8_threads), 0,
                      call_.a.stream, call_, parameters);
    }
};

} // namespace fastsoftmax::cuda
