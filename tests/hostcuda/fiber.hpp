// Fibers, and what sanitizers must be told of them. Only for hostcuda.cpp.
//
// That file is compiled without sanitizers, so their entry points are weak: they are there if the
// program is linked with one. A switch itself orders nothing for the race detector (flag 1):
// release() and acquire() do.
#pragma once
#include <cstddef>
#include <new>
#include <sys/mman.h>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

#define HOSTCUDA_WEAK __attribute__((weak))
extern "C" {
HOSTCUDA_WEAK void __asan_unpoison_memory_region(const volatile void *, std::size_t);
HOSTCUDA_WEAK void __sanitizer_start_switch_fiber(void **, const void *, std::size_t);
HOSTCUDA_WEAK void __sanitizer_finish_switch_fiber(void *, const void **, std::size_t *);
HOSTCUDA_WEAK void *__tsan_get_current_fiber();
HOSTCUDA_WEAK void *__tsan_create_fiber(unsigned);
HOSTCUDA_WEAK void __tsan_switch_to_fiber(void *, unsigned);
HOSTCUDA_WEAK void __tsan_acquire(void *);
HOSTCUDA_WEAK void __tsan_release(void *);
HOSTCUDA_WEAK void AnnotateIgnoreWritesBegin(const char *, int);
HOSTCUDA_WEAK void AnnotateIgnoreWritesEnd(const char *, int);
}

namespace hostcuda {

inline bool race_detector() { return __tsan_create_fiber != nullptr; }
inline bool address_sanitizer() { return __asan_unpoison_memory_region && !race_detector(); }
inline void acquire(void *p) {
    if (race_detector())
        __tsan_acquire(p);
}
inline void release(void *p) {
    if (race_detector())
        __tsan_release(p);
}

/// While it lives, writes are no thread's: those of memory that is being set up.
struct NobodysWrites {
    NobodysWrites() {
        if (race_detector())
            AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    }
    ~NobodysWrites() {
        if (race_detector())
            AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    }
    NobodysWrites(const NobodysWrites &) = delete;
    NobodysWrites &operator=(const NobodysWrites &) = delete;
};

#if defined(__x86_64__)
struct Context {
    void *stack_pointer;
};
// Keeps what the ABI lets a callee keep; the float modes are the same in all fibers
__attribute__((naked, noinline)) inline void switch_stack(void **, void *) {
    __asm__("pushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
            "movq %rsp, (%rdi)\n\tmovq %rsi, %rsp\n\t"
            "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n\tret");
}
inline void switch_context(Context &from, Context &to) {
    switch_stack(&from.stack_pointer, to.stack_pointer);
}
inline void start_at(Context &context, char *stack, std::size_t size, void (*entry)()) {
    void **top = reinterpret_cast<void **>(stack + size);
    *--top = nullptr; // entry finds the stack as after a call
    *--top = reinterpret_cast<void *>(entry);
    for (int saved = 0; saved < 6; ++saved)
        *--top = nullptr;
    context.stack_pointer = top;
}
#else
struct Context {
    ucontext_t context;
};
inline void switch_context(Context &from, Context &to) { swapcontext(&from.context, &to.context); }
inline void start_at(Context &c, char *stack, std::size_t size, void (*entry)()) {
    getcontext(&c.context);
    c.context.uc_stack.ss_sp = stack;
    c.context.uc_stack.ss_size = size;
    c.context.uc_link = nullptr;
    makecontext(&c.context, entry, 0);
}
#endif

/// A stack, and the thread that the race detector takes it for.
struct Stack {
    static constexpr std::size_t size = 128 << 10, guard = 4096;
    char *bottom = nullptr;
    void *thread = nullptr;

    void make() {
        if (bottom)
            return;
        void *p =
            mmap(nullptr, size + guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
            throw std::bad_alloc();
        mprotect(p, guard, PROT_NONE);
        bottom = static_cast<char *>(p) + guard;
        if (race_detector())
            thread = __tsan_create_fiber(0);
    }
};

class Fiber {
    Context context_{};
    Stack stack_{};
    void *fake_stack_ = nullptr;
    inline static Context main_{};
    inline static void *main_thread_ = nullptr, *main_fake_stack_ = nullptr;
    inline static const void *main_stack_ = nullptr;
    inline static std::size_t main_stack_size_ = 0;

  public:
    static void note_main() {
        if (race_detector())
            main_thread_ = __tsan_get_current_fiber();
    }
    void prepare(const Stack &stack, void (*entry)()) {
        stack_ = stack;
        if (address_sanitizer())
            __asan_unpoison_memory_region(stack.bottom, Stack::size);
        start_at(context_, stack.bottom, Stack::size, entry);
    }
    /// From the scheduler into the fiber, until it comes back.
    void enter() {
        if (address_sanitizer())
            __sanitizer_start_switch_fiber(&main_fake_stack_, stack_.bottom, Stack::size);
        if (race_detector())
            __tsan_switch_to_fiber(stack_.thread, 1);
        switch_context(main_, context_);
        if (address_sanitizer())
            __sanitizer_finish_switch_fiber(main_fake_stack_, nullptr, nullptr);
    }
    /// First thing in a new fiber.
    static void arrive() {
        if (address_sanitizer())
            __sanitizer_finish_switch_fiber(nullptr, &main_stack_, &main_stack_size_);
    }
    /// From the fiber to the scheduler; for good if `last`.
    void leave(bool last = false) {
        if (address_sanitizer())
            __sanitizer_start_switch_fiber(last ? nullptr : &fake_stack_, main_stack_,
                                           main_stack_size_);
        if (race_detector())
            __tsan_switch_to_fiber(main_thread_, 1);
        switch_context(context_, main_);
        if (address_sanitizer())
            __sanitizer_finish_switch_fiber(fake_stack_, &main_stack_, &main_stack_size_);
    }
};

} // namespace hostcuda
