// The devices of this machine, in plain C++. Nothing here starts a driver before it is called, so
// that the extension module can be imported where there is none.
#pragma once

namespace fastsoftmax::cuda {

/// Both return the runtime's error, 0 if there is none.
int count_devices(int &count);
struct DeviceFacts {
    char name[256];
    int major, minor;
};
int facts_of_device(int device, DeviceFacts &facts);

/// While it lives, calls of this thread go to a device.
class OnDevice {
  public:
    explicit OnDevice(int device);
    ~OnDevice();
    OnDevice(const OnDevice &) = delete;
    OnDevice &operator=(const OnDevice &) = delete;
    int error() const { return error_; }

  private:
    int before_, error_;
    bool changed_ = false;
};

} // namespace fastsoftmax::cuda
