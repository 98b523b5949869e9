# Cross-compiles for 64-bit Arm with Debian's g++-aarch64-linux-gnu and runs the tests in qemu-user:
#   cmake -S . -B build/aarch64 -DFASTSOFTMAX_TESTS=ON --toolchain tests/cpp/aarch64-linux-gnu.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
# static: qemu needs no Arm system beside it
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
# this compiler's GCC 12.2 crashes at -O3 on a reduction by fmax
set(FASTSOFTMAX_ISA_OPTIMIZATION -O2 -fno-tree-vectorize)
