#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wellposed {

/// What a thread is doing at one moment, as the kernel sees it.
enum class ThreadState { running, waiting_for_runtime, blocked, gone };

/// CPU time and time spent ready to run but waiting for a processor, in nanoseconds; -1 where the kernel keeps none.
struct ScheduledTime {
    std::int64_t cpu = -1;
    std::int64_t queued = -1;
};

/// The ids of this process's threads.
std::vector<int> thread_ids();

ScheduledTime scheduled_time(int thread);

/// `waiting_for_runtime`: in a futex whose word lies in [`begin`, `end`), where the interpreter keeps its locks.
ThreadState thread_state(int thread, std::uintptr_t begin, std::uintptr_t end);

std::string thread_name(int thread);

}  // namespace wellposed
