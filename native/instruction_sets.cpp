#include "instruction_sets.hpp"

#include <atomic>
#include <cstdlib>

namespace wellposed {

namespace {

#if defined(__x86_64__) || defined(__i386__)
bool runs_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

bool runs_avx512() {
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
bool runs_avx2() { return false; }
bool runs_avx512() { return false; }
#endif

const Kernels *find(std::string_view name) {
    for (const Kernels *kernels : available_kernels())
        if (name == kernels->name)
            return kernels;
    return nullptr;
}

const Kernels *initial_kernels() {
    const char *wanted = std::getenv("WELLPOSED_INSTRUCTION_SET");
    const Kernels *found = wanted ? find(wanted) : nullptr;
    return found ? found : available_kernels().front();
}

std::atomic<const Kernels *> &current() {
    static std::atomic<const Kernels *> kernels{initial_kernels()};
    return kernels;
}

}  // namespace

const std::vector<const Kernels *> &available_kernels() {
    static const std::vector<const Kernels *> available = [] {
        std::vector<const Kernels *> found;
        if (avx512_kernels() && runs_avx512())
            found.push_back(avx512_kernels());
        if (avx2_kernels() && runs_avx2())
            found.push_back(avx2_kernels());
        found.push_back(baseline_kernels());
        return found;
    }();
    return available;
}

const Kernels &kernels_in_use() {
    return *current().load(std::memory_order_relaxed);
}

bool use_kernels(std::string_view name) {
    const Kernels *found = find(name);
    if (found)
        current().store(found, std::memory_order_relaxed);
    return found != nullptr;
}

}  // namespace wellposed
