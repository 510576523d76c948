#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace wellposed {

/// Where one version of CPython keeps what a sample needs, in bytes from the start of each structure.
struct FrameLayout {
    bool known = false;
    bool through_cframe = false;
    std::size_t thread_frame = 0;
    std::size_t cframe_frame = 0;
    std::size_t frame_code = 0;
    std::size_t frame_previous = 0;
    std::size_t frame_instruction = 0;
    std::size_t frame_owner = 0;
    std::size_t code_instructions = 0;
    std::size_t thread_interpreter = 0;
    std::size_t interpreter_collecting = 0;
    std::uintptr_t code_type = 0;
};

struct FramePosition {
    std::uintptr_t code = 0;
    /// Bytes from the first instruction of the code object.
    std::int64_t offset = 0;

    bool operator==(const FramePosition &) const = default;
};

constexpr std::size_t deepest_frames = 8;

/// What one signal found. Plain data: it is written by a signal handler.
struct Sample {
    std::uintptr_t instruction = 0;
    /// Of the innermost frame, as it stands in the specialised bytecode; -1 outside Python.
    std::int16_t opcode = -1;
    bool collecting = false;
    std::uint8_t depth = 0;
    /// Periods of the timer that this signal stands for.
    std::uint32_t weight = 1;
    std::array<FramePosition, deepest_frames> frames{};
};

/// Whether memory of this process can be read without the risk of a fault.
bool guarded_reads_work();

/// Copies `size` bytes; false where they are not mapped. Async-signal-safe; changes errno.
bool read_guarded(std::uintptr_t from, void *to, std::size_t size);

/// Fills in opcode, frames and the collector's state. Called on the thread itself; async-signal-safe.
void observe_frames(const void *thread_state, const FrameLayout &layout, Sample &sample);

}  // namespace wellposed
