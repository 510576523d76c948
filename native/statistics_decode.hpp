// Turns blocks of every element type into float or double, exactly (64-bit integers are rounded).
//
// Included by one source file per instruction set. Everything lies in an unnamed namespace: were these functions
// shared between the files, the linker could keep the AVX-512 copy for a processor without it.
#pragma once

#include <bit>
#include <cstdint>

namespace wellposed {
namespace {

// Without infinities and with one NaN pattern, the formats whose name ends in "fn" or "fnuz" are not cut-down halves.
struct Float8Format {
    int exponent_bits;
    int mantissa_bits;
    int bias;
    bool infinities;   // the largest exponent is reserved, as in IEEE 754
    bool nan_is_zero;  // "uz": the pattern of negative zero is the only NaN
};

constexpr Float8Format e4m3fn{4, 3, 7, false, false};
constexpr Float8Format e4m3fnuz{4, 3, 8, false, true};
constexpr Float8Format e5m2{5, 2, 15, true, false};
constexpr Float8Format e5m2fnuz{5, 2, 16, false, true};

constexpr float power_of_two(int exponent) {
    return std::bit_cast<float>(static_cast<uint32_t>(exponent + 127) << 23);
}

constexpr float smallest_normal(Float8Format format) {
    return power_of_two(1 - format.bias);
}

constexpr float decode_float8(uint8_t bits, Float8Format format) {
    constexpr float nan = std::bit_cast<float>(0x7fc00000u);
    constexpr float infinity = std::bit_cast<float>(0x7f800000u);
    const int mantissa = bits & ((1 << format.mantissa_bits) - 1);
    const int exponent = (bits & 0x7f) >> format.mantissa_bits;
    const float sign = bits & 0x80 ? -1.0f : 1.0f;
    if (format.nan_is_zero && bits == 0x80)
        return nan;
    if (format.infinities && exponent == (1 << format.exponent_bits) - 1)
        return mantissa ? nan : sign * infinity;
    if (!format.infinities && !format.nan_is_zero && (bits & 0x7f) == 0x7f)
        return nan;
    const int leading = exponent ? 1 << format.mantissa_bits : 0;
    const int scale = (exponent ? exponent : 1) - format.bias - format.mantissa_bits;
    return sign * static_cast<float>(leading + mantissa) * power_of_two(scale);
}

struct Float8Table {
    float values[256];
};

template <Float8Format const &format>
constexpr Float8Table float8_table = [] {
    Float8Table table{};
    for (int bits = 0; bits < 256; ++bits)
        table.values[bits] = decode_float8(static_cast<uint8_t>(bits), format);
    return table;
}();

template <Float8Format const &format>
void decode_float8_block(const uint8_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = float8_table<format>.values[from[i]];
}

inline float decode_half(uint16_t half) {
    const uint32_t magnitude = static_cast<uint32_t>(half & 0x7fff) << 13;
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
    const uint32_t normal = magnitude + (112u << 23);
    const uint32_t special = magnitude | 0x7f800000u;
    // A subnormal half is read as 2^-14 plus its value, which is exact, and the 2^-14 taken off again.
    const float shifted = std::bit_cast<float>(magnitude + (113u << 23)) - 0x1p-14f;
    const uint32_t subnormal = std::bit_cast<uint32_t>(shifted);
    const uint32_t bits =
        magnitude < (1u << 23) ? subnormal : (magnitude >= (31u << 23) ? special : normal);
    return std::bit_cast<float>(bits | sign);
}

inline void decode_half_block(const uint16_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = decode_half(from[i]);
}

inline void decode_bfloat16_block(const uint16_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = std::bit_cast<float>(static_cast<uint32_t>(from[i]) << 16);
}

inline void decode_boolean_block(const uint8_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = from[i] != 0 ? 1.0f : 0.0f;
}

template <class From, class To>
void convert_block(const From *from, To *to, int64_t count) {
    for (int64_t i = 0; i < count; ++i)
        to[i] = static_cast<To>(from[i]);
}

}  // namespace
}  // namespace wellposed
