// Turns blocks of every element type into float or double, exactly (64-bit integers are rounded).
//
// Included by one source file per instruction set. Everything lies in an unnamed namespace: were these functions
// shared between the files, the linker could keep the AVX-512 copy for a processor without it.
#pragma once

#include <bit>
#include <cstdint>

namespace wellposed {
namespace {

enum class Specials { ieee, last_pattern, negative_zero };

// A format of at most 16 bits with a sign. What is not a number: `ieee`, the largest exponent, as infinity or NaN;
// `last_pattern` ("fn"), NaN where all bits after the sign are set; `negative_zero` ("uz"), NaN in its place.
struct SmallFormat {
    int mantissa_bits;
    int bits;
    int bias;
    Specials specials;
};

constexpr SmallFormat half{10, 16, 15, Specials::ieee};
constexpr SmallFormat e4m3fn{3, 8, 7, Specials::last_pattern};
constexpr SmallFormat e4m3fnuz{3, 8, 8, Specials::negative_zero};
constexpr SmallFormat e5m2{2, 8, 15, Specials::ieee};
constexpr SmallFormat e5m2fnuz{2, 8, 16, Specials::negative_zero};

constexpr float smallest_normal(SmallFormat format) {
    return std::bit_cast<float>(static_cast<uint32_t>(128 - format.bias) << 23);
}

// Without a branch, so that the compiler makes vectors of it.
template <SmallFormat const &format>
inline float decode_small(uint32_t bits) {
    constexpr uint32_t sign_bit = 1u << (format.bits - 1);
    constexpr uint32_t infinity = 0x7f800000u, nan = 0x7fc00000u;
    constexpr int shift = 23 - format.mantissa_bits;
    const uint32_t magnitude = (bits & (sign_bit - 1)) << shift;
    const uint32_t sign = (bits & sign_bit) << (32 - format.bits);
    const uint32_t normal = magnitude + (static_cast<uint32_t>(127 - format.bias) << 23);
    // A subnormal is read as the smallest normal number plus its value, which is exact, and that number taken off.
    const float raised = std::bit_cast<float>(magnitude + (static_cast<uint32_t>(128 - format.bias) << 23));
    const uint32_t subnormal = std::bit_cast<uint32_t>(raised - smallest_normal(format));
    uint32_t found = magnitude < (1u << 23) ? subnormal : normal;
    if constexpr (format.specials == Specials::ieee)
        found = magnitude >= ((sign_bit - 1) >> format.mantissa_bits << 23) ? magnitude | infinity : found;
    if constexpr (format.specials == Specials::last_pattern)
        found = magnitude == (sign_bit - 1) << shift ? nan : found;
    if constexpr (format.specials == Specials::negative_zero)
        found = bits == sign_bit ? nan : found;
    return std::bit_cast<float>(found | sign);
}

template <SmallFormat const &format, class Word>
void decode_small_block(const Word *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = decode_small<format>(from[i]);
}

inline void decode_half_block(const uint16_t *from, float *to, int64_t count) {
    decode_small_block<half>(from, to, count);
}

inline void decode_bfloat16_block(const uint16_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = std::bit_cast<float>(static_cast<uint32_t>(from[i]) << 16);
}

inline void decode_boolean_block(const uint8_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = from[i] != 0 ? 1.0f : 0.0f;
}

// Neither SSE nor AVX2 converts 64-bit integers. Each half is put into the mantissa of a power of two, 2^84 and 2^52,
// and these are taken off again; only the last addition rounds. `offset` makes the upper half of a signed number
// positive.
inline double decode_wide_integer(uint64_t bits, uint64_t offset, double surplus) {
    const double low = std::bit_cast<double>((bits & 0xffffffffu) | 0x4330000000000000u);
    const double high = std::bit_cast<double>((bits >> 32) ^ (0x4530000000000000u | offset));
    return (high - surplus) + low;
}

inline void decode_int64_block(const int64_t *from, double *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = decode_wide_integer(static_cast<uint64_t>(from[i]), 0x80000000u, 0x1p84 + 0x1p63 + 0x1p52);
}

inline void decode_uint64_block(const uint64_t *from, double *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = decode_wide_integer(from[i], 0, 0x1p84 + 0x1p52);
}

template <class From, class To>
void convert_block(const From *from, To *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = static_cast<To>(from[i]);
}

}  // namespace
}  // namespace wellposed
