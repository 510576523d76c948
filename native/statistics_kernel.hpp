// One pass over elements side by side, written once for every instruction set.
//
// Included by one source file per instruction set, which first defines `Lanes` classes: the few vector operations that
// differ. As in statistics_decode.hpp, everything lies in an unnamed namespace, and nothing of the standard library
// that could be emitted out of line is called.
//
// The common case is kept short: extremes, the smallest magnitude, zeros, the sum and the sum of squares. What is rare
// is only noticed, once per block, and the block is then taken again: NaN and infinity make the sum of squares not
// finite; a subnormal shows in the smallest magnitude; a mean far from zero leaves few digits of the variance.
#pragma once

#include <cstdint>

#include "statistics_parts.hpp"

namespace wellposed {
namespace {

constexpr int64_t block_elements = 1024;

// Below this share of the mean square, sum and sum of squares leave too few digits of the variance: 1e-16 / 1e-5 is
// still far better than the 1e-6 promised, and a block taken again costs little, as it lies in the first cache.
constexpr double cancelling_share = 1e-5;

// Any elements, one at a time: for the few that do not fill a vector.
template <class Element>
void summarise_singly(const Element *data, int64_t count, double smallest_normal, Partial &into) {
    Element kept[64];
    int64_t finite = 0;
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) {
        const Element value = data[i];
        const double wide = static_cast<double>(value);
        const double magnitude = wide < 0 ? -wide : wide;
        into.nan += value != value;
        if (!(magnitude <= __DBL_MAX__)) {
            into.positive_infinity += wide > 0;
            into.negative_infinity += wide < 0;
            continue;
        }
        into.zero += magnitude == 0;
        into.subnormal += magnitude != 0 && magnitude < smallest_normal;
        into.minimum = wide < into.minimum ? wide : into.minimum;
        into.maximum = wide > into.maximum ? wide : into.maximum;
        if (magnitude != 0 && magnitude < into.smallest_nonzero)
            into.smallest_nonzero = magnitude;
        kept[finite++] = value;
        sum += wide;
    }
    if (finite == 0)
        return;
    const double mean = sum / static_cast<double>(finite);
    double squared_deviations = 0;
    for (int64_t i = 0; i < finite; ++i) {
        const double deviation = static_cast<double>(kept[i]) - mean;
        squared_deviations += deviation * deviation;
    }
    merge_moments(into, static_cast<double>(finite), mean, squared_deviations);
    into.finite += finite;
}

template <class Lanes>
class Run {
public:
    using Element = typename Lanes::Element;

    Run(double smallest_normal, Partial &into)
        : into_(into), smallest_normal_(smallest_normal), subnormal_limit_(Lanes::key_below(smallest_normal)) {}

    // At most 2^31 elements in the life of a Run: zeros are counted in 32 bits.
    void add(const Element *data, int64_t count) {
        while (count >= Lanes::width) {
            const int64_t fits = count / Lanes::width * Lanes::width;
            const int64_t taken = fits < block_elements ? fits : block_elements;
            if (!add_block(data, taken, false))
                add_special_block(data, taken);
            data += taken;
            count -= taken;
        }
        if (count > 0)
            summarise_singly(data, count, smallest_normal_, into_);
    }

    void finish() {
        const double minimum = Lanes::lowest(extremes_.minimum);
        const double maximum = Lanes::highest(extremes_.maximum);
        const double smallest = Lanes::smallest_value(extremes_.smallest);
        into_.minimum = minimum < into_.minimum ? minimum : into_.minimum;
        into_.maximum = maximum > into_.maximum ? maximum : into_.maximum;
        into_.smallest_nonzero = smallest < into_.smallest_nonzero ? smallest : into_.smallest_nonzero;
        into_.zero += Lanes::total(extremes_.zeros);
    }

private:
    struct Extremes {
        typename Lanes::Vector minimum = Lanes::broadcast(__builtin_inff());
        typename Lanes::Vector maximum = Lanes::broadcast(-__builtin_inff());
        typename Lanes::Keys smallest = Lanes::no_key();
        typename Lanes::Counts zeros = Lanes::no_counts();
    };

    // Returns false, with nothing added, where the sum of squares is not finite, unless `accept` is set.
    bool add_block(const Element *data, int64_t count, bool accept) {
        Extremes seen = extremes_;
        typename Lanes::Sums sums;
        for (int64_t i = 0; i < count; i += Lanes::width) {
            const auto values = Lanes::load(data + i);
            seen.minimum = Lanes::smaller(values, seen.minimum);
            seen.maximum = Lanes::larger(values, seen.maximum);
            const auto keys = Lanes::keys(values);
            seen.smallest = Lanes::smaller_key(keys, seen.smallest);
            seen.zeros = Lanes::add_zeros(seen.zeros, keys);
            sums.add(values);
        }
        const double squares = sums.squares();
        if (!(squares <= __DBL_MAX__) && !accept)
            return false;
        extremes_ = seen;
        if (Lanes::any_up_to(seen.smallest, subnormal_limit_))
            count_subnormals(data, count);
        add_moments(data, count, sums.sum(), squares);
        into_.finite += count;
        return true;
    }

    void add_moments(const Element *data, int64_t count, double sum, double squares) {
        const double number = static_cast<double>(count);
        const double mean = sum / number;
        const double squared_deviations = squares - sum * mean;
        if (squared_deviations < cancelling_share * squares) {
            typename Lanes::Sums shifted;
            for (int64_t i = 0; i < count; i += Lanes::width)
                shifted.add_shifted(Lanes::load(data + i), mean);
            const double rest = shifted.sum() / number;
            const double refined = shifted.squares() - shifted.sum() * rest;
            merge_moments(into_, number, mean + rest, refined > 0 ? refined : 0);
        } else {
            merge_moments(into_, number, mean, squared_deviations);
        }
    }

    void count_subnormals(const Element *data, int64_t count) {
        auto counts = Lanes::no_counts();
        for (int64_t i = 0; i < count; i += Lanes::width)
            counts = Lanes::add_up_to(counts, Lanes::keys(Lanes::load(data + i)), subnormal_limit_);
        into_.subnormal += Lanes::total(counts);
    }

    // A block with NaN or infinity, or (float64 only) with values whose squares overflow: the finite ones are moved
    // together and added as a block of their own.
    __attribute__((noinline)) void add_special_block(const Element *data, int64_t count) {
        Element finite[block_elements];
        int64_t kept = 0;
        for (int64_t i = 0; i < count; ++i) {
            const Element value = data[i];
            const bool is_positive_infinity = value == static_cast<Element>(__builtin_inff());
            const bool is_negative_infinity = value == static_cast<Element>(-__builtin_inff());
            const bool is_nan = value != value;
            into_.positive_infinity += is_positive_infinity;
            into_.negative_infinity += is_negative_infinity;
            into_.nan += is_nan;
            finite[kept] = value;
            kept += !(is_positive_infinity | is_negative_infinity | is_nan);
        }
        const int64_t fits = kept / Lanes::width * Lanes::width;
        if (fits > 0)
            add_block(finite, fits, true);
        if (kept > fits)
            summarise_singly(finite + fits, kept - fits, smallest_normal_, into_);
    }

    Partial &into_;
    double smallest_normal_;
    typename Lanes::Key subnormal_limit_;
    Extremes extremes_;
};

}  // namespace
}  // namespace wellposed
