// The headers that CUDA will share, compiled for a device: every variant's weight and every update,
// with the one-lane vector type of a GPU thread.
//   nvcc -std=c++20 -fmad=false -arch=sm_90 -c headers.cu -I cpp -I <build>/cpp/generated
#define FS_ISA device

#include "vec/scalar.hpp"

#include "common/max_sum.hpp"
#include "common/weights/variants.hpp"
#include "surrogates.hpp"

namespace fastsoftmax::FS_ISA {
namespace {

static_assert(Vector<F32> && Vector<F64>);

template <class Variant, class V, Shift By>
__global__ void weights(const typename V::scalar *x, typename V::scalar *h, typename V::scalar m) {
    const typename Variant::template Weight<V, By> weight(m);
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    weight(V::load(x + i)).store(h + i);
}

template <class Variant, class V>
__global__ void updates(const MaxSum<typename V::scalar> *from, const typename V::scalar *x,
                        MaxSum<typename V::scalar> *to) {
    const OnlineUpdate<Variant, V> update;
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    to[i] = update(from[i], x[i]);
}

template <class Surrogate, class V>
__global__ void raw_updates(const MaxSum<typename V::scalar> *from, const typename V::scalar *x,
                            MaxSum<typename V::scalar> *to) {
    const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    const V m{from[i].m}, s{from[i].s}, logit{x[i]};
    to[i] = {V::max(logit, m).v, Surrogate::template g<V>(m, s, logit).v};
}

template <class Variant, class V> void use(const void **kernel) {
    kernel[0] = reinterpret_cast<const void *>(weights<Variant, V, Shift::none>);
    kernel[1] = reinterpret_cast<const void *>(weights<Variant, V, Shift::by_maximum>);
    kernel[2] = reinterpret_cast<const void *>(updates<Variant, V>);
}

template <class Variant> void use_both(const void **kernel) {
    use<Variant, F32>(kernel);
    use<Variant, F64>(kernel);
}

template <class Surrogate> void use_raw(const void **kernel) {
    kernel[0] = reinterpret_cast<const void *>(raw_updates<Surrogate, F32>);
    kernel[1] = reinterpret_cast<const void *>(raw_updates<Surrogate, F64>);
}

} // namespace

/// Takes the address of every kernel, so that each is compiled.
void use_all(const void **kernel) {
#define FS_EXACT(name) use_both<variant::name>(kernel);
#define FS_VARIANT(name) use_both<variant::name>(kernel);
#define FS_SURROGATE(name) use_both<variant::generated<surrogate::name>>(kernel);
#define FS_RAW(name, raw_name) use_raw<surrogate::raw_name>(kernel);
#include "kernels/kernels.def"
}

} // namespace fastsoftmax::FS_ISA
