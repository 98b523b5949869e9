// The scheduler of hostcuda.hpp: one block at a time, one fiber a thread, until all have returned.
//
// A fiber runs until it waits, at a barrier or a warp operation, or returns. Whoever comes last
// completes what the others wait for and makes them ready. When nobody is ready and some still
// wait, that is a deadlock. A failure unwinds every stack, then becomes the launch's exception.
#include "hostcuda.hpp"
#include "fiber.hpp"

#include <cstdlib>
#include <random>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace hostcuda {

Options options;
Counts counts;
Here here;

namespace {

enum class State : unsigned char { ready, at_barrier, at_warp_op, returned };

struct Thread {
    Fiber fiber;
    uint3 position;
    unsigned index, lane, warp;
    State state = State::returned;
    bool started = false, vote = false;
    const char *name = nullptr; // what it waits in, and where
    Site site{};
    unsigned mask = 0;
    int source = 0;
    std::uint64_t in = 0, out = 0;
};
struct Variable {
    const void *key;
    void *memory;
};
struct Allowance {
    const void *kernel;
    std::size_t bytes;
};
struct Unwind {};

std::vector<Thread> threads;
std::vector<Stack> stacks;
std::vector<unsigned> ready; // the last one runs next
std::vector<Variable> variables;
std::vector<Allowance> allowances;
std::size_t static_bytes, dynamic_bytes;
unsigned count, returned, waiting, generation;
std::uint64_t block_number;
Thread *current = nullptr;
bool unwinding = false;
std::string failure;
std::mt19937_64 random;
void (*kernel_body)(void *);
void *kernel_argument;
// addresses that stand for what orders memory; two in turn, since a thread may be at the next
// barrier before another has left this one
char launch_begins, launch_ends, block_order[2], warp_order[32][2];
unsigned char warp_generation[32];

std::string place(Site site) { return std::string(site.file) + ":" + std::to_string(site.line); }
std::string who(const Thread &t) {
    const auto text = [](const uint3 &v) {
        return "(" + std::to_string(v.x) + "," + std::to_string(v.y) + "," + std::to_string(v.z) +
               ")";
    };
    return "block " + text(here.block) + " thread " + text(t.position);
}
bool together(const Thread &a, const Thread &b) {
    return a.site.line == b.site.line && !std::strcmp(a.name, b.name) &&
           !std::strcmp(a.site.file, b.site.file);
}

void wake(unsigned first, unsigned last, State state, unsigned mask) {
    const bool down = options.order == Order::descending;
    for (unsigned k = first; k < last; ++k) {
        const unsigned i = down ? k : first + (last - 1 - k);
        Thread &t = threads[i];
        if (t.state == state && (state == State::at_barrier || mask >> t.lane & 1)) {
            t.state = State::ready;
            ready.push_back(i);
        }
    }
}

void wait() {
    current->fiber.leave();
    if (unwinding)
        throw Unwind();
}

void complete_barrier() {
    const Thread *first = nullptr;
    for (unsigned i = 0; i < count; ++i) {
        const Thread &t = threads[i];
        if (t.state != State::at_barrier)
            continue;
        if (!first)
            first = &t;
        else if (!together(t, *first))
            fail("divergent barrier: " + who(*first) + " waits at " + place(first->site) + ", " +
                 who(t) + " at " + place(t.site));
    }
    if (returned)
        fail("barrier at " + place(first->site) + ": " + std::to_string(returned) +
             " threads returned before it");
    waiting = 0;
    ++generation;
    ++counts.barriers;
    wake(0, count, State::at_barrier, 0);
}

/// Whoever waits for this thread waits in vain. Runs on the scheduler's stack.
void after_return(const Thread &gone) {
    ++returned;
    Thread *const lanes = &threads[gone.warp * 32];
    for (unsigned i = 0; i < 32 && gone.warp * 32 + i < count; ++i)
        if (lanes[i].state == State::at_warp_op && lanes[i].mask >> gone.lane & 1)
            fail(std::string(lanes[i].name) + " at " + place(lanes[i].site) + ": " + who(gone) +
                 ", a lane of its mask, has returned");
    if (waiting && waiting + returned == count)
        complete_barrier();
}

void fiber_entry() {
    Fiber::arrive();
    acquire(&launch_begins);
    try {
        kernel_body(kernel_argument);
    } catch (const Unwind &) {
    } catch (const std::exception &e) {
        failure = e.what();
    }
    release(&launch_ends);
    current->state = State::returned;
    current->fiber.leave(true);
    __builtin_trap();
}

void enter(Thread &t) {
    current = &t;
    t.started = true;
    here.thread = t.position;
    here.lane = t.lane;
    t.fiber.enter();
    current = nullptr;
}

void *take_shared(std::size_t bytes, std::size_t alignment) {
    const NobodysWrites here_;
    void *p = nullptr; // exactly so many bytes: a red zone starts at the first one beyond
    if (posix_memalign(&p, alignment < 16 ? 16 : alignment, bytes))
        throw std::bad_alloc();
    std::memset(p, options.poison, bytes);
    return p;
}
void free_shared() {
    const NobodysWrites here_;
    for (const Variable &v : variables)
        std::free(v.memory);
    variables.clear();
    std::free(here.dynamic_shared);
    here.dynamic_shared = nullptr;
}

void start_block() {
    returned = waiting = 0;
    static_bytes = 0;
    failure.clear();
    ready.clear();
    const dim3 size = here.block_size;
    for (unsigned i = 0; i < count; ++i) {
        Thread &t = threads[i];
        t.index = i, t.lane = i % 32, t.warp = i / 32;
        t.position = uint3{i % size.x, i / size.x % size.y, i / (size.x * size.y)};
        t.started = false;
        t.state = State::at_barrier;
        // one stack more than threads: thread i of the next block is another one to the race
        // detector
        Stack &stack = stacks[(i + block_number) % stacks.size()];
        stack.make();
        t.fiber.prepare(stack, fiber_entry);
    }
    wake(0, count, State::at_barrier, 0);
    here.dynamic_shared = dynamic_bytes ? take_shared(dynamic_bytes, 128) : nullptr;
}

std::string deadlock() {
    std::string text = "deadlock: ";
    const Thread *last = nullptr;
    for (unsigned i = 0; i < count; ++i) {
        const Thread &t = threads[i];
        if (t.state == State::returned || (last && together(t, *last) && t.mask == last->mask))
            continue;
        text += who(t) + " waits in " + t.name + " at " + place(t.site) + "; ";
        last = &t;
    }
    return text + std::to_string(returned) + " of " + std::to_string(count) + " returned";
}

void run_ready() {
    while (!ready.empty() && failure.empty()) {
        if (options.order == Order::random)
            std::swap(ready.back(), ready[random() % ready.size()]);
        Thread &t = threads[ready.back()];
        ready.pop_back();
        enter(t);
        if (t.state != State::returned || !failure.empty())
            continue;
        try {
            after_return(t);
        } catch (const Error &e) {
            failure = e.what();
        }
    }
    if (failure.empty() && returned < count)
        failure = deadlock();
}

void run_block() {
    start_block();
    run_ready();
    if (!failure.empty()) {
        unwinding = true;
        for (unsigned i = 0; i < count; ++i)
            if (threads[i].started && threads[i].state != State::returned)
                enter(threads[i]);
        unwinding = false;
    }
    free_shared();
    ++counts.blocks;
    if (!failure.empty())
        throw Error(failure);
}

/// Flushes denormals while a kernel runs.
class FlushDenormals {
#if defined(__x86_64__)
    const unsigned saved_ = _mm_getcsr();

  public:
    FlushDenormals() { _mm_setcsr(saved_ | 0x8040); }
    ~FlushDenormals() { _mm_setcsr(saved_); }
#else
    std::uint64_t saved_ = 0;

  public:
    FlushDenormals() {
        __asm__ volatile("mrs %0, fpcr" : "=r"(saved_));
        __asm__ volatile("msr fpcr, %0" ::"r"(saved_ | 1u << 24));
    }
    ~FlushDenormals() { __asm__ volatile("msr fpcr, %0" ::"r"(saved_)); }
#endif
};

void check_launch(const void *kernel, dim3 grid, dim3 block, std::size_t shared) {
    const std::uint64_t size = std::uint64_t{block.x} * block.y * block.z;
    if (current)
        throw Error("launch from inside a kernel");
    if (size == 0 || size > 1024 || block.z > 64)
        throw Error("no device takes a block of " + std::to_string(size) + " threads");
    if (!grid.x || !grid.y || !grid.z || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
        throw Error("no device takes a grid of " + std::to_string(grid.x) + " x " +
                    std::to_string(grid.y) + " x " + std::to_string(grid.z));
    std::size_t limit = 48 << 10;
    for (const Allowance &a : allowances)
        if (a.kernel == kernel)
            limit = a.bytes;
    if (shared > limit)
        throw Error(std::to_string(shared) + " bytes of shared memory, " + std::to_string(limit) +
                    " are allowed");
    dynamic_bytes = shared;
}

std::vector<std::uint64_t> block_order_of(std::uint64_t blocks) {
    std::vector<std::uint64_t> order(blocks);
    for (std::uint64_t b = 0; b < blocks; ++b)
        order[b] = options.order == Order::descending ? blocks - 1 - b : b;
    if (options.order == Order::random)
        std::shuffle(order.begin(), order.end(), random);
    return order;
}

bool better(WarpOp op, std::uint64_t a, std::uint64_t b) {
    const auto u = static_cast<unsigned>(a), v = static_cast<unsigned>(b);
    switch (op) {
    case WarpOp::max:
        return static_cast<int>(u) > static_cast<int>(v);
    case WarpOp::min:
        return static_cast<int>(u) < static_cast<int>(v);
    case WarpOp::max_unsigned:
        return u > v;
    default:
        return u < v;
    }
}

std::uint64_t combined(WarpOp op, const Thread *lanes, unsigned mask) {
    std::uint64_t result = 0;
    bool first = true;
    for (unsigned i = 0; i < 32; ++i) {
        if (!(mask >> i & 1))
            continue;
        const std::uint64_t value = lanes[i].in;
        if (op == WarpOp::ballot)
            result |= value ? std::uint64_t{1} << i : 0;
        else if (op == WarpOp::all_or)
            result |= value;
        else if (op == WarpOp::add)
            result = static_cast<unsigned>(result + value);
        else if (first || better(op, value, result))
            result = value;
        first = false;
    }
    return result;
}

/// All lanes of the mask are here.
void complete_warp_op(WarpOp op, Thread *lanes, const Thread &last) {
    const std::string what = std::string(last.name) + " at " + place(last.site);
    const std::uint64_t result =
        op == WarpOp::sync || op == WarpOp::shuffle ? 0 : combined(op, lanes, last.mask);
    for (unsigned i = 0; i < 32; ++i) {
        if (!(last.mask >> i & 1))
            continue;
        Thread &t = lanes[i];
        if (t.mask != last.mask || !together(t, last))
            fail("divergent warp operation: " + what + " against " + t.name + " at " +
                 place(t.site));
        if (op == WarpOp::shuffle && !(t.mask >> t.source & 1))
            fail(what + ": lane " + std::to_string(i) + " reads lane " + std::to_string(t.source) +
                 ", which is not in the mask");
        t.out = op == WarpOp::shuffle ? lanes[t.source].in : result;
    }
    ++counts.warp_operations;
    wake(last.warp * 32, std::min(last.warp * 32 + 32, count), State::at_warp_op, last.mask);
}

/// Whether every lane of the mask waits in a warp operation.
bool all_there(const Thread *lanes, const Thread &caller) {
    for (unsigned i = 0; i < 32; ++i) {
        if (!(caller.mask >> i & 1))
            continue;
        if (lanes[i].state == State::returned)
            fail(std::string(caller.name) + " at " + place(caller.site) + ": lane " +
                 std::to_string(i) + " of the mask has returned");
        if (lanes[i].state != State::at_warp_op)
            return false;
    }
    return true;
}

} // namespace

void fail(const std::string &what) { throw Error(current ? who(*current) + ": " + what : what); }

double jitter() {
    ++counts.approximations;
    if (options.jitter == 0)
        return 1;
    return 1 + options.jitter * (static_cast<double>(random() >> 11) * 0x1p-52 - 1);
}

void barrier(const char *name, Site site) {
    Thread &t = *current;
    char *const order = &block_order[generation & 1];
    release(order);
    t.state = State::at_barrier;
    t.name = name, t.site = site;
    if (++waiting + returned == count)
        complete_barrier();
    wait();
    acquire(order);
}

int barrier_count(const char *name, bool vote, Site site) {
    current->vote = vote;
    barrier(name, site);
    int votes = 0;
    for (unsigned i = 0; i < count; ++i)
        votes += threads[i].vote;
    barrier(name, site); // nobody votes again before all have counted
    return votes;
}

std::uint64_t warp(const char *name, WarpOp op, unsigned mask, std::uint64_t value, int source,
                   Site site) {
    Thread &t = *current;
    Thread *const lanes = &threads[t.warp * 32];
    const unsigned there = std::min(32u, count - t.warp * 32);
    if (!(mask >> t.lane & 1))
        fail(std::string(name) + " at " + place(site) + ": the calling lane is not in the mask");
    if (there < 32 && mask >> there)
        fail(std::string(name) + " at " + place(site) + ": the mask names lanes that don't exist");
    t.name = name, t.site = site, t.mask = mask, t.source = source, t.in = value;
    // shuffles and votes order no memory, only __syncwarp does
    char *const order = &warp_order[t.warp][warp_generation[t.warp] & 1];
    if (op == WarpOp::sync)
        release(order);
    t.state = State::at_warp_op;
    if (all_there(lanes, t)) {
        complete_warp_op(op, lanes, t);
        warp_generation[t.warp] =
            static_cast<unsigned char>(warp_generation[t.warp] + (op == WarpOp::sync));
    }
    wait();
    if (op == WarpOp::sync)
        acquire(order);
    return t.out;
}

void *shared_variable(const void *key, std::size_t bytes, std::size_t alignment) {
    for (const Variable &v : variables)
        if (v.key == key)
            return v.memory;
    static_bytes += bytes;
    if (static_bytes > 48 << 10)
        fail("more than 48 KiB of static shared memory");
    if (static_bytes + dynamic_bytes > options.shared)
        fail("more shared memory than the device has");
    variables.push_back({key, take_shared(bytes, alignment)});
    return variables.back().memory;
}

void allow_shared(const void *kernel, std::size_t bytes) { allowances.push_back({kernel, bytes}); }

void run(const void *kernel, dim3 grid, dim3 block, std::size_t shared, void (*body)(void *),
         void *argument) {
    check_launch(kernel, grid, block, shared);
    const FlushDenormals flush;
    count = block.x * block.y * block.z;
    if (threads.size() < count)
        threads.resize(count);
    if (stacks.size() < count + 1)
        stacks.resize(count + 1);
    here.grid_size = grid, here.block_size = block;
    kernel_body = body, kernel_argument = argument;
    random.seed(options.seed);
    Fiber::note_main();
    release(&launch_begins);
    ++counts.launches;
    struct End {
        ~End() { acquire(&launch_ends); }
    } end;
    for (const std::uint64_t b : block_order_of(std::uint64_t{grid.x} * grid.y * grid.z)) {
        here.block =
            uint3{static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y),
                  static_cast<unsigned>(b / (std::uint64_t{grid.x} * grid.y))};
        ++block_number;
        run_block();
    }
}

} // namespace hostcuda
