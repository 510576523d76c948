#include "sampler_threads.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace wellposed {
namespace {

/// The first line of a file of /proc/self/task/`thread`; empty where it cannot be read.
std::string read_line(int thread, const char *name) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/%s", thread, name);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return {};
    char text[256];
    const ssize_t size = read(file, text, sizeof text);
    close(file);
    std::string line(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    return line.substr(0, line.find('\n'));
}

}  // namespace

std::vector<int> thread_ids() {
    std::vector<int> ids;
    DIR *folder = opendir("/proc/self/task");
    if (!folder) return ids;
    while (const dirent *entry = readdir(folder)) {
        const int id = std::atoi(entry->d_name);
        if (id > 0) ids.push_back(id);
    }
    closedir(folder);
    return ids;
}

ScheduledTime scheduled_time(int thread) {
    ScheduledTime time;
    const std::string line = read_line(thread, "schedstat");
    if (std::sscanf(line.c_str(), "%" SCNd64 " %" SCNd64, &time.cpu, &time.queued) != 2) return {};
    return time;
}

ThreadState thread_state(int thread, std::uintptr_t begin, std::uintptr_t end) {
    const std::string line = read_line(thread, "syscall");
    if (line.empty()) return ThreadState::gone;
    if (line.rfind("running", 0) == 0) return ThreadState::running;
    long number = -1;
    std::uint64_t address = 0;
    if (std::sscanf(line.c_str(), "%ld %" SCNx64, &number, &address) == 2 && number == SYS_futex &&
        address >= begin && address < end)
        return ThreadState::waiting_for_runtime;
    return ThreadState::blocked;
}

std::string thread_name(int thread) { return read_line(thread, "comm"); }

}  // namespace wellposed
