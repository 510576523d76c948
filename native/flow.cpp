#include "flow.hpp"

#include <utility>

namespace wellposed {

void Flow::write(uintptr_t begin, uintptr_t end, Values values) {
    if (begin >= end)
        return;
    cut(begin, end);
    stretches_.insert_or_assign(begin, Stretch{end, std::make_shared<const Values>(std::move(values)), true});
}

void Flow::forget(uintptr_t begin, uintptr_t end) {
    if (begin < end)
        cut(begin, end);
}

// Takes what is known of this memory away.
void Flow::cut(uintptr_t begin, uintptr_t end) {
    auto next = stretches_.lower_bound(begin);
    if (next != stretches_.begin()) {
        auto before = std::prev(next);
        if (before->second.end > begin) {
            Stretch cut = before->second;
            cut.whole = false;
            if (cut.end > end)
                stretches_.insert_or_assign(end, cut);
            before->second.end = begin;
            before->second.whole = false;
            next = stretches_.lower_bound(begin);
        }
    }
    while (next != stretches_.end() && next->first < end) {
        if (next->second.end > end) {
            Stretch rest = next->second;
            rest.whole = false;
            stretches_.erase(next);
            stretches_.insert_or_assign(end, rest);
            break;
        }
        next = stretches_.erase(next);
    }
}

const Values *Flow::read(uintptr_t begin, uintptr_t end) const {
    auto at = stretches_.upper_bound(begin);
    if (at != stretches_.begin() && std::prev(at)->second.end > begin)
        --at;
    const Values *latest = nullptr;
    for (; at != stretches_.end() && at->first < end; ++at)
        if (!latest || at->second.values->operation > latest->operation)
            latest = at->second.values.get();
    return latest;
}

const Values *Flow::exactly(uintptr_t begin, uintptr_t end) const {
    auto at = stretches_.find(begin);
    return at != stretches_.end() && at->second.whole && at->second.end == end ? at->second.values.get() : nullptr;
}

}  // namespace wellposed
