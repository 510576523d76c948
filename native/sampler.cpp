#include "sampler.hpp"

#include <Python.h>

#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace wellposed {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto drain_period = std::chrono::milliseconds(10);
/// Threads are looked for, and their state polled, every so many drains: less often where they are many.
constexpr std::size_t drains_per_poll = 2;
constexpr std::size_t threads_per_drain = 4;

std::atomic<Sampler *> running{nullptr};
/// Read by the handler: valid from before the first timer starts until the process ends.
FrameLayout handler_layout;
std::atomic<bool> handler_active{false};
struct sigaction previous_action;
bool installed = false;

std::uintptr_t instruction_pointer(void *context) {
    const auto *machine = &static_cast<ucontext_t *>(context)->uc_mcontext;
#if defined(__x86_64__)
    return static_cast<std::uintptr_t>(machine->gregs[REG_RIP]);
#elif defined(__aarch64__)
    return static_cast<std::uintptr_t>(machine->pc);
#else
    (void)machine;
    return 0;
#endif
}

/// SIGPROF from somebody else: what it would have met without us.
void pass_on(int number, siginfo_t *info, void *context) {
    if (previous_action.sa_flags & SA_SIGINFO) {
        previous_action.sa_sigaction(number, info, context);
    } else if (previous_action.sa_handler == SIG_DFL) {
        struct sigaction ours;
        sigaction(number, &previous_action, &ours);
        raise(number);
    } else if (previous_action.sa_handler != SIG_IGN) {
        previous_action.sa_handler(number);
    }
}

/// Takes no lock, allocates nothing, leaves errno as it was.
void on_signal(int number, siginfo_t *info, void *context) {
    const int error = errno;
    auto *ring = static_cast<SampleRing *>(info->si_value.sival_ptr);
    if (info->si_code != SI_TIMER || !ring) {
        pass_on(number, info, context);
    } else if (std::uint64_t mark = 0;
               handler_active.load(std::memory_order_acquire) &&
               read_guarded(reinterpret_cast<std::uintptr_t>(&ring->mark), &mark, sizeof mark) &&
               mark == SampleRing::expected_mark) {
        Sample sample;
        sample.instruction = instruction_pointer(context);
        sample.weight = 1 + static_cast<std::uint32_t>(std::max(0, info->si_overrun));
        const void *thread = handler_layout.known ? PyGILState_GetThisThreadState() : nullptr;
        if (thread) observe_frames(thread, handler_layout, sample);
        ring->push(sample);
    }
    errno = error;
}

void install_handler() {
    struct sigaction current;
    sigaction(SIGPROF, nullptr, &current);
    if (installed && (current.sa_flags & SA_SIGINFO) && current.sa_sigaction == on_signal) return;
    itimerval timer{};
    getitimer(ITIMER_PROF, &timer);
    if (timer.it_value.tv_sec || timer.it_value.tv_usec)
        throw std::runtime_error("another profiler is using SIGPROF in this process; stop it first");
    struct sigaction action {};
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(SIGPROF, &action, &previous_action);
    installed = true;
}

bool handler_is_ours() {
    struct sigaction current;
    sigaction(SIGPROF, nullptr, &current);
    return (current.sa_flags & SA_SIGINFO) && current.sa_sigaction == on_signal;
}

/// The clock of a thread's CPU time, as the kernel numbers it (clock_getcpuclockid gives only a process's).
clockid_t cpu_clock(int thread) { return static_cast<clockid_t>((~static_cast<unsigned>(thread) << 3) | 6u); }

}  // namespace

struct Sampler::Watched {
    explicit Watched(int thread) : ring(thread), since(Clock::now()) {
        report.thread = thread;
        report.name = thread_name(thread);
        report.first = report.last = scheduled_time(thread);
    }
    ~Watched() { disarm(); }

    bool arm(double rate) {
        sigevent event{};
        event.sigev_notify = SIGEV_THREAD_ID;
        event.sigev_signo = SIGPROF;
        event.sigev_value.sival_ptr = &ring;
        event.sigev_notify_thread_id = ring.thread;
        if (timer_create(cpu_clock(ring.thread), &event, &timer) != 0) return false;
        armed = true;
        const long period = std::max(1L, static_cast<long>(1e9 / rate));
        itimerspec when{};
        when.it_value.tv_sec = when.it_interval.tv_sec = period / 1'000'000'000;
        when.it_value.tv_nsec = when.it_interval.tv_nsec = period % 1'000'000'000;
        return timer_settime(timer, 0, &when, nullptr) == 0;
    }
    void disarm() {
        if (armed) timer_delete(timer);
        armed = false;
    }
    void measure() {
        const ScheduledTime now = scheduled_time(ring.thread);
        if (now.cpu < 0) return;
        report.last = now;
        report.wall = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - since).count();
    }

    SampleRing ring;
    Clock::time_point since;
    ThreadReport report;
    timer_t timer{};
    bool armed = false;
};

Sampler::Sampler(SamplerOptions options) : options_(options) {}

Sampler::~Sampler() { stop(); }

bool sampler_is_running() { return running.load() != nullptr; }

void Sampler::start() {
    if (started_) throw std::runtime_error("this sampler was started before; make a new one");
    Sampler *nobody = nullptr;
    if (!guarded_reads_work())
        throw std::runtime_error("this system does not let a process read its own memory (process_vm_readv)");
    if (!running.compare_exchange_strong(nobody, this))
        throw std::runtime_error("the costs of Python are being observed already in this process");
    try {
        install_handler();
        process_ = getpid();
        handler_layout = options_.layout;
        handler_active = true;
        started_ = true;
        watch_threads();
        const auto mine = watched_.find(static_cast<int>(syscall(SYS_gettid)));
        if (mine == watched_.end() || !mine->second->armed)
            throw std::runtime_error("this system gives no timer of a thread's CPU time (timer_create)");
        // The monitor gets no signal of the program's.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        monitor_ = std::make_unique<std::thread>([this] { run(); });
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    } catch (...) {
        handler_active = false;
        watched_.clear();
        running = nullptr;
        throw;
    }
}

void Sampler::stop() {
    if (!started_ || running.load() != this) return;
    if (getpid() != process_) {
        // Timers and the monitor stayed with the parent.
        for (auto &[thread, watched] : watched_) watched->armed = false;
        monitor_.release();
        running = nullptr;
        return;
    }
    displaced_ = !handler_is_ours();
    for (auto &[thread, watched] : watched_) watched->disarm();
    stopping_ = true;
    if (monitor_) monitor_->join();
    monitor_.reset();
    for (auto &[thread, watched] : watched_) watched->disarm();
    handler_active = false;
    drain();
    // Ours stays installed where nobody had one: a signal still on its way would end the process.
    if (!displaced_ && installed && previous_action.sa_handler != SIG_DFL) {
        sigaction(SIGPROF, &previous_action, nullptr);
        installed = false;
    }
    running = nullptr;
}

void Sampler::watch_threads() {
    const std::vector<int> ids = thread_ids();
    if (ids.empty()) return;
    for (auto it = watched_.begin(); it != watched_.end();) {
        if (std::find(ids.begin(), ids.end(), it->first) == ids.end()) {
            it->second->disarm();
            count(*it->second);
            ended_.push_back(std::move(it->second));
            it = watched_.erase(it);
        } else {
            ++it;
        }
    }
    for (const int id : ids) {
        if (id == monitor_thread_ || watched_.count(id)) continue;
        auto watched = std::make_unique<Watched>(id);
        watched->arm(options_.rate);
        watched_.emplace(id, std::move(watched));
    }
}

void Sampler::poll() {
    for (auto &[id, watched] : watched_) {
        watched->measure();
        switch (thread_state(id, options_.runtime_begin, options_.runtime_end)) {
            case ThreadState::running: ++watched->report.seen_running; break;
            case ThreadState::waiting_for_runtime: ++watched->report.seen_waiting_for_runtime; break;
            case ThreadState::blocked: ++watched->report.seen_blocked; break;
            case ThreadState::gone: break;
        }
    }
}

void Sampler::count(Watched &watched) {
    watched.ring.drain([&](const Sample &sample) {
        tally_.add(watched.ring.thread, sample, [&](std::uintptr_t code) {
            const std::lock_guard<std::mutex> lock(codes_mutex_);
            new_codes_.push_back(code);
        });
    });
}

void Sampler::drain() {
    for (auto &[id, watched] : watched_) count(*watched);
    if (!options_.ask_for_holding || stopping_ || asked_) return;
    {
        const std::lock_guard<std::mutex> lock(codes_mutex_);
        if (new_codes_.empty()) return;
    }
    asked_ = true;
    if (options_.ask_for_holding(options_.hold, this) != 0) asked_ = false;
}

std::vector<std::uintptr_t> Sampler::take_codes() {
    const std::lock_guard<std::mutex> lock(codes_mutex_);
    std::vector<std::uintptr_t> codes;
    codes.swap(new_codes_);
    asked_ = false;
    return codes;
}

void Sampler::run() {
    monitor_thread_ = static_cast<int>(syscall(SYS_gettid));
    for (std::size_t round = 1; !stopping_; ++round) {
        std::this_thread::sleep_for(drain_period);
        drain();
        if (round >= std::max(drains_per_poll, watched_.size() / threads_per_drain)) {
            watch_threads();
            poll();
            round = 0;
        }
    }
    poll();
}

std::vector<ThreadReport> Sampler::threads() const {
    std::vector<ThreadReport> reports;
    const auto add = [&](const Watched &watched) {
        reports.push_back(watched.report);
        reports.back().dropped = watched.ring.dropped;
    };
    for (const auto &watched : ended_) add(*watched);
    for (const auto &[id, watched] : watched_) add(*watched);
    return reports;
}

}  // namespace wellposed
