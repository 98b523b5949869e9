# Whether there is a CUDA compiler to build the extension module _cuda with: sets with_cuda.
#
# AUTO takes CUDA where nvcc is found and works, and says so; a build without it is the same as if
# there were no CUDA part.
set(FASTSOFTMAX_CUDA AUTO CACHE STRING "Build the extension module for CUDA: AUTO, ON or OFF")
set_property(CACHE FASTSOFTMAX_CUDA PROPERTY STRINGS AUTO ON OFF)
set(FASTSOFTMAX_CUDA_ARCHITECTURES "" CACHE STRING
    "CUDA architectures as CMake lists them; default: those of the devices here, else 75 and PTX")
set(fs_cuda_needs "nvcc >= 12.0 and CMake >= 3.26, which know C++20")

set(with_cuda OFF)
if(NOT FASTSOFTMAX_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "FASTSOFTMAX_CUDA is ${FASTSOFTMAX_CUDA}; it may be AUTO, ON or OFF.")
endif()
if(FASTSOFTMAX_PYTHON AND NOT FASTSOFTMAX_CUDA STREQUAL "OFF")
  if(NOT FASTSOFTMAX_CUDA_ARCHITECTURES)
    execute_process(COMMAND nvidia-smi --query-gpu=compute_cap --format=csv,noheader
                    OUTPUT_VARIABLE capabilities ERROR_QUIET RESULT_VARIABLE failed)
    string(REGEX MATCHALL "[0-9]+\\.[0-9]" capabilities "${capabilities}")
    list(REMOVE_DUPLICATES capabilities)
    if(failed OR NOT capabilities)
      set(capabilities 7.5) # its PTX is compiled by the driver of any newer device
    endif()
    string(REPLACE "." "" FASTSOFTMAX_CUDA_ARCHITECTURES "${capabilities}")
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${FASTSOFTMAX_CUDA_ARCHITECTURES})
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    find_package(CUDAToolkit QUIET)
    if(CUDAToolkit_FOUND AND "cuda_std_20" IN_LIST CMAKE_CUDA_COMPILE_FEATURES)
      set(with_cuda ON)
    endif()
  endif()
  if(with_cuda)
    message(STATUS "CUDA: nvcc ${CMAKE_CUDA_COMPILER_VERSION}, ${FASTSOFTMAX_CUDA_ARCHITECTURES}")
  elseif(FASTSOFTMAX_CUDA STREQUAL "ON")
    message(FATAL_ERROR "FASTSOFTMAX_CUDA=ON needs a CUDA toolkit, and ${fs_cuda_needs}. Set "
                        "CUDACXX to the path of nvcc, or FASTSOFTMAX_CUDA=OFF.")
  else()
    message(STATUS "CUDA: no extension module _cuda, which needs ${fs_cuda_needs}")
  endif()
endif()
