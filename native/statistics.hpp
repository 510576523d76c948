// Statistics of a tensor, in one pass over its memory.
#pragma once

#include <cstdint>

#include "tensor_view.hpp"

namespace wellposed {

// Extremes, mean, standard deviation and rms are over the finite elements only: the counts tell the rest.
// A complex tensor is summarised over its real and imaginary parts, so its count is twice its elements.
// Where no element is finite, minimum, maximum, mean, standard deviation and rms are NaN; where none is finite and
// non-zero, smallest_nonzero is NaN.
struct Statistics {
    int64_t count = 0;
    int64_t nan = 0;
    int64_t positive_infinity = 0;
    int64_t negative_infinity = 0;
    int64_t zero = 0;
    int64_t subnormal = 0;          // in the element's own format
    double minimum = 0;
    double maximum = 0;
    double smallest_nonzero = 0;    // magnitude
    double mean = 0;
    double standard_deviation = 0;  // of the population: divided by the count of finite elements
    double root_mean_square = 0;
    int64_t saturated = -1;         // `count_outside` of the function that made them; -1 where nobody asked
};

// `threads` is an upper bound; small tensors use one. Never throws on values; an unsupported type gives count = -1.
Statistics summarise(const TensorView &view, int threads);

// True when no element is NaN or infinite (integers and booleans always are finite). Stops at the first that is not.
bool all_finite(const TensorView &view, int threads);

// How many elements lie below `low` or above `high` (NaN counts as neither). For saturation of bounded functions.
int64_t count_outside(const TensorView &view, double low, double high, int threads);

}  // namespace wellposed
