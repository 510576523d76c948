#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sampler_ring.hpp"
#include "sampler_tally.hpp"
#include "sampler_threads.hpp"

namespace wellposed {

struct SamplerOptions {
    FrameLayout layout;
    /// Signals per second of CPU time and thread; the kernel's tick may allow fewer.
    double rate = 1000;
    /// Where the interpreter keeps its locks, the GIL among them.
    std::uintptr_t runtime_begin = 0;
    std::uintptr_t runtime_end = 0;
    /// Asks the interpreter to call `hold` on its main thread; null: code objects are not held.
    int (*ask_for_holding)(int (*)(void *), void *) = nullptr;
    int (*hold)(void *) = nullptr;
};

/// One thread as it fared while it was observed; times in nanoseconds.
struct ThreadReport {
    int thread = 0;
    std::string name;
    std::int64_t wall = 0;
    ScheduledTime first;
    ScheduledTime last;
    std::uint64_t seen_running = 0;
    std::uint64_t seen_waiting_for_runtime = 0;
    std::uint64_t seen_blocked = 0;
    std::uint64_t dropped = 0;
};

/// Interrupts every thread of this process after each period of its own CPU time and notes what it was executing.
/// A thread that sleeps or waits is never interrupted. At most one sampler runs in a process.
class Sampler {
public:
    explicit Sampler(SamplerOptions options);
    ~Sampler();
    Sampler(const Sampler &) = delete;
    Sampler &operator=(const Sampler &) = delete;

    /// Raises std::runtime_error with a sentence for the user where it cannot start.
    void start();
    /// May be called again, and in a child that was forked meanwhile, where it only forgets.
    void stop();

    const Tally &tally() const { return tally_; }
    std::vector<ThreadReport> threads() const;
    /// Code objects that samples name and that nobody has taken yet.
    std::vector<std::uintptr_t> take_codes();
    /// Whether the program put a handler of its own for SIGPROF in place of ours meanwhile.
    bool displaced() const { return displaced_; }

private:
    struct Watched;
    void watch_threads();
    void poll();
    void count(Watched &watched);
    void drain();
    void run();

    SamplerOptions options_;
    int process_ = 0;
    std::map<int, std::unique_ptr<Watched>> watched_;
    std::vector<std::unique_ptr<Watched>> ended_;
    Tally tally_;
    std::mutex codes_mutex_;
    std::vector<std::uintptr_t> new_codes_;
    std::atomic<bool> asked_{false};
    std::atomic<bool> stopping_{false};
    std::unique_ptr<std::thread> monitor_;
    std::atomic<int> monitor_thread_{0};
    bool started_ = false;
    bool displaced_ = false;
};

/// The sampler that runs, if one does.
bool sampler_is_running();

}  // namespace wellposed
