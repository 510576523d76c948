// From an element type to the kernel that takes it: float32 and float64 as they lie, all others by way of a small block
// of float or double that stays in the first cache. Included by one source file per instruction set, whose `Set` names
// its lanes and its decoder of halves.
#pragma once

#include <cfloat>

#include "statistics_decode.hpp"
#include "statistics_kernel.hpp"

namespace wellposed {
namespace {

template <class Lanes, class From, class Decode>
void summarise_decoded(const void *data, int64_t count, double smallest_normal, Decode decode, Partial &into) {
    using To = typename Lanes::Element;
    const From *from = static_cast<const From *>(data);
    To block[block_elements];
    Run<Lanes, false> run(smallest_normal, into);
    for (int64_t done = 0; done < count; done += block_elements) {
        const int64_t taken = count - done < block_elements ? count - done : block_elements;
        prefetch(from + done + block_elements, block_elements * static_cast<int64_t>(sizeof(From)));
        decode(from + done, block, taken);
        run.add(block, taken);
    }
    run.finish();
}

template <class Lanes>
void summarise_in_place(const void *data, int64_t count, double smallest_normal, Partial &into) {
    Run<Lanes, true> run(smallest_normal, into);
    run.add(static_cast<const typename Lanes::Element *>(data), count);
    run.finish();
}

// Of zeros and ones, a single count tells everything.
inline void summarise_booleans(const uint8_t *data, int64_t count, Partial &into) {
    int64_t ones = 0;
    for (int64_t done = 0; done < count; done += block_elements) {
        const int64_t taken = count - done < block_elements ? count - done : block_elements;
        uint16_t found = 0;
        for (int64_t i = 0; i < taken; ++i)
            found = static_cast<uint16_t>(found + (data[done + i] != 0));
        ones += found;
    }
    if (ones > 0) {
        into.maximum = 1;
        into.smallest_nonzero = 1;
    }
    into.zero += count - ones;
    into.minimum = into.zero > 0 ? 0 : 1;
    into.maximum = into.maximum < 0 ? 0 : into.maximum;
    const double share = static_cast<double>(ones) / static_cast<double>(count);
    merge_moments(into, static_cast<double>(count), share, static_cast<double>(ones) * (1 - share));
    into.finite += count;
}

template <class Set>
void summarise_scaled(const void *data, int64_t count, double scale, Partial &into) {
    const auto decode = [scale](const double *from, double *to, int64_t taken) {
        for (int64_t i = 0; i < taken; ++i)
            to[i] = from[i] * scale;
    };
    summarise_decoded<typename Set::Doubles, double>(data, count, DBL_MIN, decode, into);
}

template <class Set>
void summarise_elements(ElementType type, const void *data, int64_t count, double scale, Partial &into) {
    using Singles = typename Set::Singles;
    using Doubles = typename Set::Doubles;
    using enum ElementType;
    switch (type) {
        case float64:
            if (scale != 1)
                return summarise_scaled<Set>(data, count, scale, into);
            return summarise_in_place<Doubles>(data, count, DBL_MIN, into);
        case float32: return summarise_in_place<Singles>(data, count, FLT_MIN, into);
        case float16:
            return summarise_decoded<Singles, uint16_t>(data, count, smallest_normal(half), Set::decode_halves, into);
        case bfloat16:
            return summarise_decoded<Singles, uint16_t>(data, count, FLT_MIN, decode_bfloat16_block, into);
        case float8_e4m3fn:
            return summarise_decoded<Singles, uint8_t>(
                data, count, smallest_normal(e4m3fn), decode_small_block<e4m3fn, uint8_t>, into);
        case float8_e4m3fnuz:
            return summarise_decoded<Singles, uint8_t>(
                data, count, smallest_normal(e4m3fnuz), decode_small_block<e4m3fnuz, uint8_t>, into);
        case float8_e5m2:
            return summarise_decoded<Singles, uint8_t>(
                data, count, smallest_normal(e5m2), decode_small_block<e5m2, uint8_t>, into);
        case float8_e5m2fnuz:
            return summarise_decoded<Singles, uint8_t>(
                data, count, smallest_normal(e5m2fnuz), decode_small_block<e5m2fnuz, uint8_t>, into);
        case boolean: return summarise_booleans(static_cast<const uint8_t *>(data), count, into);
        case int8: return summarise_decoded<Singles, int8_t>(data, count, FLT_MIN, convert_block<int8_t, float>, into);
        case uint8:
            return summarise_decoded<Singles, uint8_t>(data, count, FLT_MIN, convert_block<uint8_t, float>, into);
        case int16:
            return summarise_decoded<Singles, int16_t>(data, count, FLT_MIN, convert_block<int16_t, float>, into);
        case uint16:
            return summarise_decoded<Singles, uint16_t>(data, count, FLT_MIN, convert_block<uint16_t, float>, into);
        case int32:
            return summarise_decoded<Doubles, int32_t>(data, count, DBL_MIN, convert_block<int32_t, double>, into);
        case uint32:
            return summarise_decoded<Doubles, uint32_t>(data, count, DBL_MIN, convert_block<uint32_t, double>, into);
        case int64:
            return summarise_decoded<Doubles, int64_t>(data, count, DBL_MIN, decode_int64_block, into);
        case uint64:
            return summarise_decoded<Doubles, uint64_t>(data, count, DBL_MIN, decode_uint64_block, into);
        case complex32: case complex64: case complex128: case unsupported: break;
    }
}

// Adding one unit of the exponent's last place to the magnitude carries into the sign bit exactly where the exponent
// is all ones. `unit` is that, or, for a format with a single NaN pattern, what carries there from that pattern only.
template <class Word>
bool finite_words(const void *data, int64_t count, Word unit) {
    constexpr Word sign = static_cast<Word>(Word{1} << (sizeof(Word) * 8 - 1));
    constexpr int64_t stretch = prefetch_bytes / sizeof(Word);
    const Word *words = static_cast<const Word *>(data);
    for (int64_t done = 0; done < count; done += stretch) {
        const int64_t taken = count - done < stretch ? count - done : stretch;
        prefetch(words + done + stretch, prefetch_bytes);
        Word carried = 0;
        for (int64_t i = 0; i < taken; ++i)
            carried = static_cast<Word>(carried | ((words[done + i] & static_cast<Word>(~sign)) + unit));
        if (carried & sign)
            return false;
    }
    return true;
}

inline bool without_negative_zero(const void *data, int64_t count) {
    const uint8_t *bytes = static_cast<const uint8_t *>(data);
    uint8_t found = 0;
    for (int64_t i = 0; i < count; ++i)
        found = static_cast<uint8_t>(found | (bytes[i] == 0x80));
    return !found;
}

template <class Set>
bool all_finite_elements(ElementType type, const void *data, int64_t count) {
    using enum ElementType;
    switch (type) {
        case float64: return finite_words<uint64_t>(data, count, uint64_t{1} << 52);
        case float32: return finite_words<uint32_t>(data, count, 1u << 23);
        case float16: return finite_words<uint16_t>(data, count, 1u << 10);
        case bfloat16: return finite_words<uint16_t>(data, count, 1u << 7);
        case float8_e4m3fn: return finite_words<uint8_t>(data, count, 1);
        case float8_e5m2: return finite_words<uint8_t>(data, count, 1u << 2);
        case float8_e4m3fnuz: case float8_e5m2fnuz: return without_negative_zero(data, count);
        default: return true;
    }
}

template <class Element>
int64_t outside(const Element *values, int64_t count, Element low, Element high) {
    int64_t total = 0;
    for (int64_t done = 0; done < count; done += block_elements) {
        const int64_t taken = count - done < block_elements ? count - done : block_elements;
        int32_t found = 0;
        for (int64_t i = 0; i < taken; ++i)
            found += (values[done + i] < low) | (values[done + i] > high);
        total += found;
    }
    return total;
}

template <class From, class To, class Decode>
int64_t outside_decoded(const void *data, int64_t count, To low, To high, Decode decode) {
    const From *from = static_cast<const From *>(data);
    To block[block_elements];
    int64_t total = 0;
    for (int64_t done = 0; done < count; done += block_elements) {
        const int64_t taken = count - done < block_elements ? count - done : block_elements;
        decode(from + done, block, taken);
        total += outside(block, taken, low, high);
    }
    return total;
}

template <class Set>
int64_t count_elements_outside(ElementType type, const void *data, int64_t count, double low, double high) {
    // The bounds in float, moved inwards where they do not fit: no float lies between a bound and its neighbour.
    float low_single = static_cast<float>(low);
    if (low_single < low)
        low_single = __builtin_nextafterf(low_single, __builtin_inff());
    float high_single = static_cast<float>(high);
    if (high_single > high)
        high_single = __builtin_nextafterf(high_single, -__builtin_inff());
    const auto single = [&]<class From>(From, auto decode) {
        return outside_decoded<From, float>(data, count, low_single, high_single, decode);
    };
    const auto wide = [&]<class From>(From, auto decode) {
        return outside_decoded<From, double>(data, count, low, high, decode);
    };
    using enum ElementType;
    switch (type) {
        case float64: return outside(static_cast<const double *>(data), count, low, high);
        case float32: return outside(static_cast<const float *>(data), count, low_single, high_single);
        case float16: return single(uint16_t{}, Set::decode_halves);
        case bfloat16: return single(uint16_t{}, decode_bfloat16_block);
        case float8_e4m3fn: return single(uint8_t{}, decode_small_block<e4m3fn, uint8_t>);
        case float8_e4m3fnuz: return single(uint8_t{}, decode_small_block<e4m3fnuz, uint8_t>);
        case float8_e5m2: return single(uint8_t{}, decode_small_block<e5m2, uint8_t>);
        case float8_e5m2fnuz: return single(uint8_t{}, decode_small_block<e5m2fnuz, uint8_t>);
        case boolean: return single(uint8_t{}, decode_boolean_block);
        case int8: return single(int8_t{}, convert_block<int8_t, float>);
        case uint8: return single(uint8_t{}, convert_block<uint8_t, float>);
        case int16: return single(int16_t{}, convert_block<int16_t, float>);
        case uint16: return single(uint16_t{}, convert_block<uint16_t, float>);
        case int32: return wide(int32_t{}, convert_block<int32_t, double>);
        case uint32: return wide(uint32_t{}, convert_block<uint32_t, double>);
        case int64: return wide(int64_t{}, decode_int64_block);
        case uint64: return wide(uint64_t{}, decode_uint64_block);
        default: return 0;
    }
}

template <class Set>
constexpr Kernels kernels_of{Set::name, summarise_elements<Set>, all_finite_elements<Set>, count_elements_outside<Set>};

}  // namespace
}  // namespace wellposed
