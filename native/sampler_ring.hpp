#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "sampler_frames.hpp"

namespace wellposed {

/// The samples of one thread on their way from its signal handler to the thread that counts them. One writer, one
/// reader, no lock. Where the reader is late, samples are dropped and counted.
class SampleRing {
public:
    explicit SampleRing(int thread) : thread(thread) {}

    /// Called by the signal handler.
    bool push(const Sample &sample) {
        const std::size_t end = end_.load(std::memory_order_relaxed);
        if (end - begin_.load(std::memory_order_acquire) == capacity) {
            dropped.fetch_add(1, std::memory_order_relaxed);
            return false;
        }
        samples_[end % capacity] = sample;
        end_.store(end + 1, std::memory_order_release);
        return true;
    }

    template <class Take>
    void drain(Take &&take) {
        std::size_t begin = begin_.load(std::memory_order_relaxed);
        const std::size_t end = end_.load(std::memory_order_acquire);
        for (; begin != end; ++begin) take(samples_[begin % capacity]);
        begin_.store(begin, std::memory_order_release);
    }

    static constexpr std::uint64_t expected_mark = 0x77656c6c706f7365;
    const std::uint64_t mark = expected_mark;
    const int thread;
    std::atomic<std::uint64_t> dropped{0};

private:
    static constexpr std::size_t capacity = 512;
    std::array<Sample, capacity> samples_{};
    std::atomic<std::size_t> begin_{0};
    std::atomic<std::size_t> end_{0};
};

}  // namespace wellposed
