#include "element_walk.hpp"

#include <algorithm>

namespace wellposed {

namespace {

// A complex number is two elements of the type returned; false where it is none.
bool split_complex(ElementType type, ElementType &part) {
    using enum ElementType;
    switch (type) {
        case complex32: part = float16; return true;
        case complex64: part = float32; return true;
        case complex128: part = float64; return true;
        default: part = type; return false;
    }
}

void add_dimension(WalkPlan &plan, int64_t length, int64_t stride) {
    plan.distinct *= length;
    if (length == 1)
        return;
    if (stride == 0) {
        plan.distinct /= length;
        plan.repeats *= length;
        return;
    }
    if (stride < 0) {
        plan.data += (length - 1) * stride * plan.bytes;
        stride = -stride;
    }
    int32_t place = plan.dimensions++;
    for (; place > 0 && plan.strides[place - 1] < stride; --place) {
        plan.shape[place] = plan.shape[place - 1];
        plan.strides[place] = plan.strides[place - 1];
    }
    plan.shape[place] = length;
    plan.strides[place] = stride;
}

// Joins dimensions of which one continues where the other ends.
void collapse(WalkPlan &plan) {
    int32_t kept = 0;
    for (int32_t d = 1; d < plan.dimensions; ++d) {
        if (plan.strides[kept] == plan.strides[d] * plan.shape[d]) {
            plan.shape[kept] *= plan.shape[d];
            plan.strides[kept] = plan.strides[d];
        } else {
            ++kept;
            plan.shape[kept] = plan.shape[d];
            plan.strides[kept] = plan.strides[d];
        }
    }
    plan.dimensions = std::min(plan.dimensions, kept + 1);
}

}  // namespace

bool plan_walk(const TensorView &view, WalkPlan &plan) {
    if (view.type == ElementType::unsupported || view.dimensions > most_dimensions)
        return false;
    const int64_t parts = split_complex(view.type, plan.type) ? 2 : 1;
    plan.data = static_cast<const char *>(view.data);
    plan.bytes = element_bytes(plan.type);
    plan.distinct = 1;
    plan.repeats = 1;
    plan.dimensions = 0;
    if (element_count(view) == 0) {
        plan.distinct = 0;
        return true;
    }
    int64_t contiguous = 1;
    for (int32_t d = view.dimensions - 1; d >= 0; --d) {
        const int64_t stride = view.strides ? view.strides[d] : contiguous;
        contiguous *= view.shape[d];
        add_dimension(plan, view.shape[d], stride * parts);
    }
    if (parts == 2)
        add_dimension(plan, 2, 1);
    collapse(plan);
    return true;
}

}  // namespace wellposed
