#include "sampler_tally.hpp"

#include <algorithm>

namespace wellposed {

bool TallyKey::operator==(const TallyKey &other) const {
    const Sample &a = sample;
    const Sample &b = other.sample;
    return thread == other.thread && a.instruction == b.instruction && a.opcode == b.opcode &&
           a.collecting == b.collecting && a.depth == b.depth &&
           std::equal(a.frames.begin(), a.frames.begin() + a.depth, b.frames.begin());
}

std::size_t Tally::Hash::operator()(const TallyKey &key) const {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto mix = [&](std::uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15 + (hash >> 29); };
    mix(static_cast<std::uint64_t>(key.thread));
    mix(key.sample.instruction);
    mix(static_cast<std::uint64_t>(key.sample.opcode) * 2 + key.sample.collecting);
    for (std::size_t i = 0; i < key.sample.depth; ++i) {
        mix(key.sample.frames[i].code);
        mix(static_cast<std::uint64_t>(key.sample.frames[i].offset));
    }
    return hash;
}

}  // namespace wellposed
