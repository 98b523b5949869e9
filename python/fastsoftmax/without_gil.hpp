// Work without the GIL, for every extension module: the only place that gives it up.
#pragma once
#include <nanobind/nanobind.h>

#include <unistd.h>

namespace fastsoftmax::python {

/// Takes the GIL again. A thread that comes while the interpreter ends may not have it: before
/// Python 3.14, PyEval_RestoreThread then calls pthread_exit, which with glibc unwinds the stack,
/// and the first noexcept frame on it (nanobind's, or a destructor) calls std::terminate. So the
/// unwinding stops in this frame, and the thread waits for the end of the process, as Python 3.14
/// has it do. No question whether the interpreter ends would do instead: the answer may change
/// before the GIL is had, and the stable ABI has none before 3.13.
inline void retake_gil(PyThreadState *state) {
    struct Last {
        bool returned = false;
        // a destructor, since libc++ passes catch (...) by when it unwinds for pthread_exit
        ~Last() {
            while (!returned)
                pause();
        }
    } last;
    PyEval_RestoreThread(state);
    last.returned = true;
}

/// Calls f without the GIL. What f throws is thrown on, with the GIL.
template <class F> void without_gil(F &&f) {
    PyThreadState *const state = PyEval_SaveThread();
    try {
        f();
    } catch (...) {
        retake_gil(state);
        throw;
    }
    retake_gil(state);
}

} // namespace fastsoftmax::python
