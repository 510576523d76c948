// From a tensor to its statistics: which elements, in which pieces, on which threads, and how the pieces become one.
#include "statistics.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "element_walk.hpp"
#include "instruction_sets.hpp"
#include "statistics_parts.hpp"
#include "worker_pool.hpp"

namespace wellposed {

namespace {

// The pieces do not depend on the number of threads, nor does the order in which they are merged: the result is the
// same to the last bit, however many threads took part.
constexpr int64_t piece_elements = 1 << 16;
constexpr int64_t parallel_elements = 1 << 18;

// Squares of float64 values beyond these could overflow, or lose digits to underflow: they are scaled first.
constexpr double largest_unscaled = 1e140;
constexpr double smallest_unscaled = 1e-130;

// A program may have told its threads to flush subnormals to zero; here they are counted and compared.
class KeepSubnormals {
#if defined(__SSE2__)
public:
    KeepSubnormals() : before_(_mm_getcsr()) {
        if (before_ & flush)
            _mm_setcsr(before_ & ~flush);
    }
    ~KeepSubnormals() {
        if (before_ & flush)
            _mm_setcsr(before_);
    }

private:
    static constexpr unsigned flush = 0x8040;  // "flush to zero" and "denormals are zeros"
    unsigned before_;
#endif
};

int64_t piece_count(const WalkPlan &plan) {
    return (plan.distinct + piece_elements - 1) / piece_elements;
}

template <class Visit>
bool walk_piece(const WalkPlan &plan, int64_t piece, Visit visit) {
    const KeepSubnormals keep;
    const int64_t begin = piece * piece_elements;
    const int64_t end = plan.distinct - begin < piece_elements ? plan.distinct : begin + piece_elements;
    return walk_elements(plan, begin, end, visit);
}

int threads_for(const WalkPlan &plan, int threads) {
    return plan.distinct >= parallel_elements ? threads : 1;
}

void merge(Partial &into, const Partial &from) {
    into.nan += from.nan;
    into.positive_infinity += from.positive_infinity;
    into.negative_infinity += from.negative_infinity;
    into.zero += from.zero;
    into.subnormal += from.subnormal;
    into.minimum = std::fmin(into.minimum, from.minimum);
    into.maximum = std::fmax(into.maximum, from.maximum);
    into.smallest_nonzero = std::fmin(into.smallest_nonzero, from.smallest_nonzero);
    if (from.finite > 0)
        merge_moments(into, static_cast<double>(from.finite), from.mean, from.squared_deviations);
    into.finite += from.finite;
}

Partial summarise_plan(const WalkPlan &plan, int threads, double scale) {
    const Kernels &kernels = kernels_in_use();
    const auto summarise_piece = [&](int64_t piece, Partial &into) {
        walk_piece(plan, piece, [&](const void *data, int64_t count) {
            kernels.summarise(plan.type, data, count, scale, into);
            return true;
        });
    };
    const int64_t pieces = piece_count(plan);
    Partial total;
    if (pieces == 1) {
        summarise_piece(0, total);
        return total;
    }
    std::vector<Partial> partials(static_cast<size_t>(pieces));
    run_parallel(pieces, threads_for(plan, threads),
                 [&](int64_t piece) { summarise_piece(piece, partials[static_cast<size_t>(piece)]); });
    for (const Partial &partial : partials)
        merge(total, partial);
    return total;
}

// The power of two that brings the largest magnitude near one; one where there is no need.
double needed_scale(const WalkPlan &plan, const Partial &partial) {
    if (plan.type != ElementType::float64 || partial.finite == 0)
        return 1;
    const double largest = std::fmax(std::fabs(partial.minimum), std::fabs(partial.maximum));
    if (largest == 0 || (largest > smallest_unscaled && largest < largest_unscaled))
        return 1;
    // The reciprocal of the smallest subnormals' power of two would overflow.
    return std::ldexp(1.0, -std::max(std::ilogb(largest), -1000));
}

Statistics finished(const Partial &partial, double scale, int64_t repeats) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    Statistics result;
    result.nan = partial.nan * repeats;
    result.positive_infinity = partial.positive_infinity * repeats;
    result.negative_infinity = partial.negative_infinity * repeats;
    result.zero = partial.zero * repeats;
    result.subnormal = partial.subnormal * repeats;
    result.count = (partial.finite + partial.nan + partial.positive_infinity + partial.negative_infinity) * repeats;
    const bool any = partial.finite > 0;
    const double deviation = std::sqrt(partial.squared_deviations / static_cast<double>(partial.finite));
    result.minimum = any ? partial.minimum : nan;
    result.maximum = any ? partial.maximum : nan;
    result.smallest_nonzero = std::isinf(partial.smallest_nonzero) ? nan : partial.smallest_nonzero;
    result.mean = any ? partial.mean / scale : nan;
    result.standard_deviation = any ? deviation / scale : nan;
    result.root_mean_square = any ? std::hypot(partial.mean, deviation) / scale : nan;
    return result;
}

}  // namespace

Statistics summarise(const TensorView &view, int threads) {
    WalkPlan plan;
    if (!plan_walk(view, plan)) {
        Statistics unsupported;
        unsupported.count = -1;
        return unsupported;
    }
    if (plan.distinct == 0)
        return finished(Partial{}, 1, 1);
    Partial partial = summarise_plan(plan, threads, 1);
    const double scale = needed_scale(plan, partial);
    if (scale != 1) {
        const Partial scaled = summarise_plan(plan, threads, scale);
        partial.mean = scaled.mean;
        partial.squared_deviations = scaled.squared_deviations;
    }
    return finished(partial, scale, plan.repeats);
}

bool all_finite(const TensorView &view, int threads) {
    WalkPlan plan;
    if (!plan_walk(view, plan) || plan.distinct == 0)
        return true;
    const Kernels &kernels = kernels_in_use();
    std::atomic<bool> finite{true};
    run_parallel(piece_count(plan), threads_for(plan, threads), [&](int64_t piece) {
        if (!finite.load(std::memory_order_relaxed))
            return;
        const bool piece_is_finite = walk_piece(plan, piece, [&](const void *data, int64_t count) {
            return kernels.all_finite(plan.type, data, count);
        });
        if (!piece_is_finite)
            finite.store(false, std::memory_order_relaxed);
    });
    return finite.load();
}

int64_t count_outside(const TensorView &view, double low, double high, int threads) {
    WalkPlan plan;
    if (!plan_walk(view, plan))
        return -1;
    if (plan.distinct == 0)
        return 0;
    const Kernels &kernels = kernels_in_use();
    std::atomic<int64_t> total{0};
    run_parallel(piece_count(plan), threads_for(plan, threads), [&](int64_t piece) {
        int64_t found = 0;
        walk_piece(plan, piece, [&](const void *data, int64_t count) {
            found += kernels.count_outside(plan.type, data, count, low, high);
            return true;
        });
        total.fetch_add(found, std::memory_order_relaxed);
    });
    return total.load() * plan.repeats;
}

}  // namespace wellposed
