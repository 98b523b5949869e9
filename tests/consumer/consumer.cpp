// A Python extension of somebody else's, made with pybind11 and the installed C++ package.
#include <fastsoftmax/fastsoftmax.hpp>

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <vector>

namespace {

std::vector<float> softmax(const std::vector<float> &logits, const std::string &variant) {
    std::vector<float> probabilities(logits.size());
    fastsoftmax::online(logits.data(), probabilities.data(), 1, logits.size(),
                        {.variant = variant});
    return probabilities;
}

std::vector<std::string> kernel_ids() {
    std::vector<std::string> ids;
    for (const fastsoftmax::KernelInfo &kernel : fastsoftmax::kernels())
        ids.push_back(kernel.id);
    return ids;
}

} // namespace

PYBIND11_MODULE(consumer, module) {
    module.def("softmax", softmax, pybind11::arg("logits"), pybind11::arg("variant") = "exact");
    module.def("kernel_ids", kernel_ids);
    module.def("version", fastsoftmax::version);
}
