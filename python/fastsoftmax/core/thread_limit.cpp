// A bound for the threads of the whole process, for those who find a library by the symbols that it
// exports, as threadpoolctl does (threadpool.py).
#include "dispatch/thread_count.hpp"

#define FS_EXPORT extern "C" __attribute__((visibility("default"), used))

FS_EXPORT int fastsoftmax_thread_limit() { return fastsoftmax::thread_limit(); }

FS_EXPORT void fastsoftmax_limit_threads(int most) { fastsoftmax::limit_threads(most); }
