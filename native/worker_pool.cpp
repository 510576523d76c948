#include "worker_pool.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace wellposed {

namespace {

// Never destroyed: its threads sleep until the process ends, and a forked child, which has none of them, leaves the
// parent's pool untouched (its mutex may be locked for ever) and makes its own.
class Pool {
public:
    explicit Pool(pid_t process) : process_(process) {}

    pid_t process() const { return process_; }

    // False, with nothing done, when another thread is using the pool.
    bool run(int64_t tasks, int helpers, const std::function<void(int64_t)> &work) {
        std::unique_lock<std::mutex> user(user_, std::try_to_lock);
        if (!user.owns_lock())
            return false;
        start(helpers);
        {
            std::lock_guard<std::mutex> lock(state_);
            work_ = &work;
            tasks_ = tasks;
            next_.store(0, std::memory_order_relaxed);
            invited_ = helpers < started_ ? helpers : started_;
            ++round_;
        }
        wake_.notify_all();
        take_tasks(work, tasks);
        std::unique_lock<std::mutex> lock(state_);
        invited_ = 0;
        done_.wait(lock, [this] { return busy_ == 0; });
        work_ = nullptr;
        return true;
    }

private:
    void take_tasks(const std::function<void(int64_t)> &work, int64_t tasks) {
        for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < tasks;)
            work(i);
    }

    void start(int wanted) {
        sigset_t all, before;
        sigfillset(&all);
        // Signals belong to the program's own threads.
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            for (; started_ < wanted; ++started_)
                std::thread([this] { serve(); }).detach();
        } catch (const std::system_error &) {
            // Fewer threads do the same work.
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void serve() {
        int64_t seen = 0;
        std::unique_lock<std::mutex> lock(state_);
        for (;;) {
            wake_.wait(lock, [&] { return round_ != seen && invited_ > 0; });
            seen = round_;
            --invited_;
            ++busy_;
            const auto *work = work_;
            const int64_t tasks = tasks_;
            lock.unlock();
            take_tasks(*work, tasks);
            lock.lock();
            if (--busy_ == 0)
                done_.notify_one();
        }
    }

    const pid_t process_;
    std::mutex user_;
    std::mutex state_;
    std::condition_variable wake_;
    std::condition_variable done_;
    const std::function<void(int64_t)> *work_ = nullptr;
    int64_t tasks_ = 0;
    std::atomic<int64_t> next_{0};
    int64_t round_ = 0;
    int invited_ = 0;
    int busy_ = 0;
    int started_ = 0;
};

Pool &pool_of_this_process() {
    static std::atomic<Pool *> current{nullptr};
    const pid_t process = getpid();
    Pool *found = current.load(std::memory_order_acquire);
    while (!found || found->process() != process) {
        Pool *made = new Pool(process);
        if (current.compare_exchange_strong(found, made, std::memory_order_acq_rel))
            return *made;
        delete made;
    }
    return *found;
}

}  // namespace

void run_parallel(int64_t tasks, int threads, const std::function<void(int64_t)> &work) {
    const int helpers = static_cast<int>((tasks < threads ? tasks : threads) - 1);
    if (helpers > 0 && pool_of_this_process().run(tasks, helpers, work))
        return;
    for (int64_t i = 0; i < tasks; ++i)
        work(i);
}

}  // namespace wellposed
