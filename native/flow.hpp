// Which operation last wrote a stretch of memory: data flow followed through views and in-place writes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>

#include "statistics.hpp"

namespace wellposed {

// What is known of the values that lie in a stretch of memory.
struct Values {
    int64_t operation = 0;  // that wrote them; 0 when unknown
    int64_t count = 0;      // logical elements of the tensor they were seen through
    ElementType type = ElementType::unsupported;
    bool unseen = false;    // nobody looked at them: memory as it was found
    bool has_nan = false;
    bool has_infinity = false;
    std::shared_ptr<const Statistics> statistics;
};

// Memory as disjoint half-open stretches of addresses, each with its last writer. Freed memory needs no care: whoever
// gets it next writes it before anyone reads it.
class Flow {
  public:
    // The values were written: whatever was known of this memory is forgotten.
    void write(uintptr_t begin, uintptr_t end, Values values);

    // What is known of the memory: the latest writer of any part of it. Null when nothing is.
    const Values *read(uintptr_t begin, uintptr_t end) const;

    // The same, where one stretch covers exactly this memory.
    const Values *exactly(uintptr_t begin, uintptr_t end) const;

    // The memory was freed, or nobody knows what became of it.
    void forget(uintptr_t begin, uintptr_t end);

    void clear() { stretches_.clear(); }
    size_t size() const { return stretches_.size(); }

  private:
    void cut(uintptr_t begin, uintptr_t end);
    struct Stretch {
        uintptr_t end;
        std::shared_ptr<const Values> values;
        bool whole;  // false once a later write took a part away
    };
    std::map<uintptr_t, Stretch> stretches_;
};

}  // namespace wellposed
