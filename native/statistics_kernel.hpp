// One pass over elements side by side, written once for every instruction set.
//
// Included by one source file per instruction set, which first defines `Lanes` classes: the few vector operations that
// differ. As in statistics_decode.hpp, everything lies in an unnamed namespace, and nothing of the standard library
// that could be emitted out of line is called.
//
// The common case is kept short: extremes, smallest magnitude, sum and sum of squares. What is rare is only noticed,
// once per block, and the block, which lies in the first cache by then, is taken again: NaN and infinity make the sum of
// squares not finite; a subnormal shows in the smallest magnitude; a mean far from zero leaves few digits of the
// variance.
//
// Vectors of float are added in fours, and their squares, before they are widened to double, because widening is what
// costs most. That leaves about 3e-7 of relative error at the very worst, and far less over many groups, as long as
// squares neither overflow nor vanish, and the variance is no small share of the mean square: else
// `Lanes::least_mean_square` and `Lanes::least_share` send the block to exact sums in double.
#pragma once

#include <cstdint>

#include "statistics_parts.hpp"

namespace wellposed {
namespace {

constexpr int64_t block_elements = 1024;

// The processor's own prefetching ends at every page; asking a page ahead made 16 MB of float32 a third faster. An
// address past the end is allowed here: it is not read.
constexpr int64_t prefetch_bytes = 4096;
constexpr int64_t cache_line = 64;

inline void prefetch(const void *from, int64_t bytes) {
    for (int64_t at = 0; at < bytes; at += cache_line)
        __builtin_prefetch(static_cast<const char *>(from) + at);
}

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

// `far`: the data are where the program left them, not in a block decoded just now.
template <class Lanes, bool far>
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

    template <bool with_zeros>
    static void see(typename Lanes::Vector values, Extremes &seen, typename Lanes::Keys &least) {
        seen.minimum = Lanes::smaller(values, seen.minimum);
        seen.maximum = Lanes::larger(values, seen.maximum);
        const auto magnitudes = Lanes::magnitudes(values);
        if constexpr (with_zeros)
            see_key(Lanes::keys(magnitudes), seen);
        else
            least = Lanes::smaller_key(magnitudes, least);
    }

    static void see_key(typename Lanes::Keys keys, Extremes &seen) {
        seen.smallest = Lanes::smaller_key(keys, seen.smallest);
        seen.zeros = Lanes::add_zeros(seen.zeros, keys);
    }

    // Returns the smallest magnitudes of the block; not kept where zeros are counted.
    template <bool with_zeros>
    static typename Lanes::Keys read_block(const Element *data, int64_t count, Extremes &seen,
                                           typename Lanes::Sums &sums) {
        auto least = Lanes::no_key();
        int64_t i = 0;
        for (; i + 4 * Lanes::width <= count; i += 4 * Lanes::width) {
            if constexpr (far)
                prefetch(reinterpret_cast<const char *>(data + i) + prefetch_bytes, 4 * sizeof(typename Lanes::Vector));
            const auto a = Lanes::load(data + i);
            const auto b = Lanes::load(data + i + Lanes::width);
            const auto c = Lanes::load(data + i + 2 * Lanes::width);
            const auto d = Lanes::load(data + i + 3 * Lanes::width);
            see<with_zeros>(a, seen, least);
            see<with_zeros>(b, seen, least);
            see<with_zeros>(c, seen, least);
            see<with_zeros>(d, seen, least);
            sums.add_four(a, b, c, d);
        }
        for (; i < count; i += Lanes::width) {
            const auto values = Lanes::load(data + i);
            see<with_zeros>(values, seen, least);
            sums.add(values);
        }
        return least;
    }

    // Counting zeros costs a third more. It is done where the block before had some; a block that has some unexpectedly
    // is looked at again.
    void read_block(const Element *data, int64_t count, Extremes &seen, typename Lanes::Sums &sums) {
        if (expect_zeros_) {
            const int64_t before = Lanes::total(seen.zeros);
            read_block<true>(data, count, seen, sums);
            expect_zeros_ = Lanes::total(seen.zeros) != before;
            return;
        }
        const auto least = read_block<false>(data, count, seen, sums);
        if (!Lanes::any_zero(least)) {
            seen.smallest = Lanes::smaller_key(Lanes::keys(least), seen.smallest);
            return;
        }
        expect_zeros_ = true;
        for (int64_t i = 0; i < count; i += Lanes::width)
            see_key(Lanes::keys(Lanes::magnitudes(Lanes::load(data + i))), seen);
    }

    // Returns false, with nothing added, where not all values are finite, or, unless `accept` is set, where the squares
    // overflow even in double.
    bool add_block(const Element *data, int64_t count, bool accept) {
        Extremes seen = extremes_;
        seen.smallest = Lanes::no_key();
        typename Lanes::Sums sums;
        read_block(data, count, seen, sums);
        if (!add_moments(data, count, sums.sum(), sums.squares(), accept))
            return false;
        if (Lanes::any_up_to(seen.smallest, subnormal_limit_))
            count_subnormals(data, count);
        seen.smallest = Lanes::smaller_key(seen.smallest, extremes_.smallest);
        extremes_ = seen;
        into_.finite += count;
        return true;
    }

    bool add_moments(const Element *data, int64_t count, double sum, double squares, bool accept) {
        const double number = static_cast<double>(count);
        double mean = sum / number;
        double deviations = squares - sum * mean;
        const bool sound = squares <= __DBL_MAX__ && squares >= Lanes::least_mean_square * number &&
                           deviations >= Lanes::least_share * squares;
        if (!sound) {
            // Any value of the block will do as a shift: at worst it is the one far from all others, and costs the
            // three digits of `block_elements`.
            const double shift = static_cast<double>(data[0]);
            typename Lanes::Sums shifted;
            for (int64_t i = 0; i < count; i += Lanes::width)
                shifted.add_shifted(Lanes::load(data + i), shift);
            if (!(shifted.squares() <= __DBL_MAX__) && !accept)
                return false;
            const double rest = shifted.sum() / number;
            mean = shift + rest;
            deviations = shifted.squares() - shifted.sum() * rest;
            deviations = deviations > 0 ? deviations : 0;
        }
        merge_moments(into_, number, mean, deviations);
        return true;
    }

    void count_subnormals(const Element *data, int64_t count) {
        auto counts = Lanes::no_counts();
        for (int64_t i = 0; i < count; i += Lanes::width) {
            const auto keys = Lanes::keys(Lanes::magnitudes(Lanes::load(data + i)));
            counts = Lanes::add_up_to(counts, keys, subnormal_limit_);
        }
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
    bool expect_zeros_ = false;
};

}  // namespace
}  // namespace wellposed
