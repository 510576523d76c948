#include "sampler_frames.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

namespace wellposed {
namespace {

constexpr std::size_t head_bytes = 128;
/// Reference count, type and size of a code object.
constexpr std::size_t object_bytes = 24;
/// Owners of a frame: 3 and more are CPython's own marks on the C stack, without code of the user.
constexpr std::uint8_t first_shim_owner = 3;

template <class T>
T field(const unsigned char *structure, std::size_t offset) {
    T value;
    std::memcpy(&value, structure + offset, sizeof(T));
    return value;
}

std::uintptr_t pointer_at(const void *structure, std::size_t offset) {
    return field<std::uintptr_t>(static_cast<const unsigned char *>(structure), offset);
}

/// Reads the code object's head and the next frame outward by one system call; the latter is absent at the bottom.
bool read_pair(std::uintptr_t code, void *object, std::uintptr_t previous, void *frame, bool &has_previous) {
    iovec local[2] = {{object, object_bytes}, {frame, head_bytes}};
    iovec remote[2] = {{reinterpret_cast<void *>(code), object_bytes},
                       {reinterpret_cast<void *>(previous), head_bytes}};
    const ssize_t got = process_vm_readv(getpid(), local, 2, remote, previous ? 2 : 1, 0);
    has_previous = got == static_cast<ssize_t>(object_bytes + head_bytes);
    return got >= static_cast<ssize_t>(object_bytes);
}

}  // namespace

bool read_guarded(std::uintptr_t from, void *to, std::size_t size) {
    iovec local{to, size};
    iovec remote{reinterpret_cast<void *>(from), size};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

bool guarded_reads_work() {
    const std::uint64_t here = 0x77656c6c706f7365;
    std::uint64_t copy = 0;
    return read_guarded(reinterpret_cast<std::uintptr_t>(&here), &copy, sizeof copy) && copy == here;
}

void observe_frames(const void *thread_state, const FrameLayout &layout, Sample &sample) {
    // The thread's state and its cframe belong to this thread and outlive the signal; frames may be half made.
    std::uintptr_t at = pointer_at(thread_state, layout.thread_frame);
    if (layout.through_cframe) {
        if (!at) return;
        at = pointer_at(reinterpret_cast<const void *>(at), layout.cframe_frame);
    }
    const std::uintptr_t interpreter = pointer_at(thread_state, layout.thread_interpreter);
    sample.collecting = field<int>(reinterpret_cast<const unsigned char *>(interpreter), layout.interpreter_collecting);

    unsigned char frame[head_bytes];
    if (!at || !read_guarded(at, frame, head_bytes)) return;
    for (std::size_t step = 0; step < 2 * deepest_frames && sample.depth < deepest_frames; ++step) {
        const std::uintptr_t code = field<std::uintptr_t>(frame, layout.frame_code);
        const std::uintptr_t next = field<std::uintptr_t>(frame, layout.frame_instruction);
        const std::uintptr_t previous = field<std::uintptr_t>(frame, layout.frame_previous);
        const bool shim = frame[layout.frame_owner] >= first_shim_owner;
        unsigned char object[object_bytes];
        unsigned char outer[head_bytes];
        bool has_previous = false;
        if (!read_pair(code, object, previous, outer, has_previous)) return;
        const bool is_code = field<std::uintptr_t>(object, 8) == layout.code_type;
        if (is_code && !shim) {
            const auto units = field<std::int64_t>(object, 16);
            const auto offset = static_cast<std::int64_t>(next - code - layout.code_instructions);
            // A frame that was pushed and has not begun stands one unit before its first instruction.
            const bool begun = offset >= 0 && offset < 2 * units;
            if (!begun && offset != -2) return;
            if (sample.depth == 0 && begun) {
                unsigned char opcode = 0;
                if (read_guarded(next, &opcode, 1)) sample.opcode = opcode;
            }
            sample.frames[sample.depth++] = {code, offset};
        }
        if (!has_previous) return;
        std::memcpy(frame, outer, head_bytes);
    }
}

}  // namespace wellposed
