// What the kernels of each instruction set fill in, and how two results become one.
#pragma once

#include <cstdint>
#include <limits>

#include "tensor_view.hpp"

namespace wellposed {

// Statistics of some of the elements. The moments are over the finite ones, in the form that merges without
// cancellation: the mean, and the sum of squared deviations from it.
struct Partial {
    int64_t finite = 0;
    int64_t nan = 0;
    int64_t positive_infinity = 0;
    int64_t negative_infinity = 0;
    int64_t zero = 0;
    int64_t subnormal = 0;
    double minimum = std::numeric_limits<double>::infinity();
    double maximum = -std::numeric_limits<double>::infinity();
    double smallest_nonzero = std::numeric_limits<double>::infinity();
    double mean = 0;
    double squared_deviations = 0;
};

// The variance of a merger without cancellation (Chan, Golub and LeVeque 1983). `static`, so that each instruction
// set's file keeps its own copy; `into.finite` is left for the caller to advance.
static inline void merge_moments(Partial &into, double count, double mean, double squared_deviations) {
    const double before = static_cast<double>(into.finite);
    const double share = count / (before + count);
    const double difference = mean - into.mean;
    into.mean += difference * share;
    into.squared_deviations += squared_deviations + difference * difference * before * share;
}

// The functions of one instruction set. All take elements that lie side by side in memory, of a type that is not
// complex: a complex number is two elements to them.
struct Kernels {
    const char *name;

    // Adds `count` elements, each multiplied by `scale` (a power of two; other than 1 for float64 only).
    void (*summarise)(ElementType type, const void *data, int64_t count, double scale, Partial &into);
    bool (*all_finite)(ElementType type, const void *data, int64_t count);
    int64_t (*count_outside)(ElementType type, const void *data, int64_t count, double low, double high);
};

// Null where the compiler had no such instructions to offer. Whether this processor has them is another question.
const Kernels *baseline_kernels();
const Kernels *avx2_kernels();
const Kernels *avx512_kernels();

}  // namespace wellposed
