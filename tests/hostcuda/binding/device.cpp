// One device that is no device: host memory, kernels as functions. Device 1 is announced by arrays
// only: whatever is launched there fails as a runtime would.
#include "cuda/device/device.hpp"

#include <cstring>

namespace fastsoftmax::cuda {

int count_devices(int &count) {
    count = 1;
    return 0;
}

int facts_of_device(int, DeviceFacts &facts) {
    std::strcpy(facts.name, "the host");
    facts.major = facts.minor = 0;
    return 0;
}

OnDevice::OnDevice(int device) : before_(0), error_(device == 0 ? 0 : 101) {}
OnDevice::~OnDevice() = default;

} // namespace fastsoftmax::cuda
