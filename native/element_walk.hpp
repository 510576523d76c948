// The elements of a strided tensor as stretches that lie side by side in memory.
//
// Statistics do not depend on order, so the dimensions are taken in the order of their strides, whatever the tensor's
// own is: a permuted dense tensor becomes a single stretch. What does not lie side by side is gathered into a block.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor_view.hpp"

namespace wellposed {

// More than any framework allows.
constexpr int32_t most_dimensions = 64;

struct WalkPlan {
    const char *data = nullptr;
    ElementType type = ElementType::unsupported;  // never complex: a complex number is two elements
    int64_t bytes = 0;                            // of one element
    int64_t distinct = 0;                         // elements to visit
    int64_t repeats = 1;                          // how often each occurs: broadcast dimensions are not walked
    int32_t dimensions = 0;                       // outermost first; at least one unless there is a single element
    int64_t shape[most_dimensions + 1];
    int64_t strides[most_dimensions + 1];         // positive
};

// Returns false for an unsupported type, or for more dimensions than there can be.
bool plan_walk(const TensorView &view, WalkPlan &plan);

constexpr int64_t gather_elements = 1024;
constexpr int64_t shortest_stretch_in_place = 256;

namespace walk {

// Where the walk is: the address of the current row's first element, and the row's place in the outer dimensions.
class Rows {
public:
    Rows(const WalkPlan &plan, int64_t row) : plan_(plan), address_(plan.data) {
        for (int32_t d = plan.dimensions - 2; d >= 0; --d) {
            index_[d] = row % plan.shape[d];
            row /= plan.shape[d];
            address_ += index_[d] * plan.strides[d] * plan.bytes;
        }
    }
    const char *address() const { return address_; }
    void next() {
        for (int32_t d = plan_.dimensions - 2; d >= 0; --d) {
            address_ += plan_.strides[d] * plan_.bytes;
            if (++index_[d] < plan_.shape[d])
                return;
            address_ -= plan_.shape[d] * plan_.strides[d] * plan_.bytes;
            index_[d] = 0;
        }
    }

private:
    const WalkPlan &plan_;
    const char *address_;
    int64_t index_[most_dimensions + 1];
};

template <class Word>
void gather(const char *from, int64_t stride, int64_t count, char *to) {
    for (int64_t i = 0; i < count; ++i)
        std::memcpy(to + i * static_cast<int64_t>(sizeof(Word)), from + i * stride * static_cast<int64_t>(sizeof(Word)),
                    sizeof(Word));
}

inline void gather(int64_t bytes, const char *from, int64_t stride, int64_t count, char *to) {
    switch (bytes) {
        case 1: return gather<uint8_t>(from, stride, count, to);
        case 2: return gather<uint16_t>(from, stride, count, to);
        case 4: return gather<uint32_t>(from, stride, count, to);
        default: return gather<uint64_t>(from, stride, count, to);
    }
}

}  // namespace walk

// Calls `visit(address, count)` until all elements from number `begin` to `end` (in the plan's order) are visited, or
// until it returns false. Returns whether all were.
template <class Visit>
bool walk_elements(const WalkPlan &plan, int64_t begin, int64_t end, Visit visit) {
    const int64_t length = plan.dimensions ? plan.shape[plan.dimensions - 1] : 1;
    const int64_t stride = plan.dimensions ? plan.strides[plan.dimensions - 1] : 1;
    const bool in_place = stride == 1 && (length >= shortest_stretch_in_place || length == plan.distinct);

    alignas(64) char gathered[gather_elements * 8];
    int64_t filled = 0;
    walk::Rows rows(plan, begin / length);
    int64_t offset = begin % length;
    for (int64_t left = end - begin; left > 0;) {
        const char *from = rows.address() + offset * stride * plan.bytes;
        int64_t taken = length - offset < left ? length - offset : left;
        if (in_place) {
            if (!visit(static_cast<const void *>(from), taken))
                return false;
        } else {
            taken = taken < gather_elements - filled ? taken : gather_elements - filled;
            walk::gather(plan.bytes, from, stride, taken, gathered + filled * plan.bytes);
            filled += taken;
            if (filled == gather_elements || taken == left) {
                if (!visit(static_cast<const void *>(gathered), filled))
                    return false;
                filled = 0;
            }
        }
        left -= taken;
        offset += taken;
        if (offset == length) {
            offset = 0;
            rows.next();
        }
    }
    return true;
}

}  // namespace wellposed
