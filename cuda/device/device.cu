#include "cuda/device/device.hpp"

#include <cstring>
#include <cuda_runtime_api.h>

namespace fastsoftmax::cuda {

int count_devices(int &count) {
    count = 0;
    return cudaGetDeviceCount(&count);
}

int facts_of_device(int device, DeviceFacts &facts) {
    cudaDeviceProp properties;
    const int error = cudaGetDeviceProperties(&properties, device);
    if (error == cudaSuccess) {
        static_assert(sizeof facts.name == sizeof properties.name);
        std::memcpy(facts.name, properties.name, sizeof facts.name);
        facts.major = properties.major;
        facts.minor = properties.minor;
    }
    return error;
}

OnDevice::OnDevice(int device) : before_(0) {
    error_ = cudaGetDevice(&before_);
    if (error_ == cudaSuccess && before_ != device) {
        error_ = cudaSetDevice(device);
        changed_ = error_ == cudaSuccess;
    }
}

OnDevice::~OnDevice() {
    if (changed_)
        cudaSetDevice(before_);
}

} // namespace fastsoftmax::cuda
