#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <unordered_set>

#include "sampler_frames.hpp"

namespace wellposed {

struct TallyKey {
    int thread = 0;
    Sample sample;

    bool operator==(const TallyKey &other) const;
};

struct TallyCount {
    std::uint64_t signals = 0;
    std::uint64_t weight = 0;
    std::uint64_t weight_squared = 0;
};

/// Equal samples counted together. Memory is bounded: what is new once the table is full is only counted as lost.
class Tally {
public:
    /// True where the sample names a code object that was not met before: `code` is called for each.
    template <class Code>
    void add(int thread, const Sample &sample, Code &&code) {
        TallyKey key{thread, sample};
        key.sample.weight = 0;
        auto found = counts_.find(key);
        if (found == counts_.end()) {
            if (counts_.size() >= most_entries) {
                ++lost_;
                return;
            }
            found = counts_.emplace(key, TallyCount{}).first;
            for (std::size_t i = 0; i < sample.depth; ++i)
                if (codes_.insert(sample.frames[i].code).second) code(sample.frames[i].code);
        }
        found->second.signals += 1;
        found->second.weight += sample.weight;
        found->second.weight_squared += std::uint64_t{sample.weight} * sample.weight;
    }

    template <class Visit>
    void each(Visit &&visit) const {
        for (const auto &[key, count] : counts_) visit(key, count);
    }

    std::uint64_t lost() const { return lost_; }

private:
    struct Hash {
        std::size_t operator()(const TallyKey &key) const;
    };
    static constexpr std::size_t most_entries = 200'000;
    std::unordered_map<TallyKey, TallyCount, Hash> counts_;
    std::unordered_set<std::uintptr_t> codes_;
    std::uint64_t lost_ = 0;
};

}  // namespace wellposed
