// Exact unsigned numbers wide enough for the costs of a chain, and the comparison of two products of them.
//
// With n matrices and dimensions below 2^b a cost is below (n + 1)·2^(3b). Planning runs in the narrowest of three types
// that holds it: 64 bits, 128 bits, or the 256 bits that are enough for every chain that fits into memory.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace wellposed::chain {

using U64 = std::uint64_t;
using U128 = unsigned __int128;

// Limbs of 64 bits, the lowest first. Overflow is impossible by the bound above and not checked.
struct Wide {
    std::array<U64, 4> limbs{};

    Wide() = default;
    Wide(U64 low) : limbs{low, 0, 0, 0} {}

    Wide &operator+=(const Wide &other) {
        U128 carry = 0;
        for (std::size_t i = 0; i < limbs.size(); ++i) {
            carry += static_cast<U128>(limbs[i]) + other.limbs[i];
            limbs[i] = static_cast<U64>(carry);
            carry >>= 64;
        }
        return *this;
    }
    Wide &operator-=(const Wide &other) {
        U64 borrow = 0;
        for (std::size_t i = 0; i < limbs.size(); ++i) {
            const U128 difference = static_cast<U128>(limbs[i]) - other.limbs[i] - borrow;
            limbs[i] = static_cast<U64>(difference);
            borrow = static_cast<U64>(difference >> 64) & 1;
        }
        return *this;
    }
    Wide &operator*=(U64 factor) {
        U128 carry = 0;
        for (U64 &limb : limbs) {
            carry += static_cast<U128>(limb) * factor;
            limb = static_cast<U64>(carry);
            carry >>= 64;
        }
        return *this;
    }
    friend Wide operator+(Wide a, const Wide &b) { return a += b; }
    friend Wide operator-(Wide a, const Wide &b) { return a -= b; }
    friend Wide operator*(Wide a, U64 b) { return a *= b; }
    friend bool operator<(const Wide &a, const Wide &b) {
        for (std::size_t i = a.limbs.size(); i-- > 0;)
            if (a.limbs[i] != b.limbs[i])
                return a.limbs[i] < b.limbs[i];
        return false;
    }
};

inline Wide widened(U64 value) { return Wide(value); }
inline Wide widened(const Wide &value) { return value; }
inline Wide widened(U128 value) {
    Wide wide(static_cast<U64>(value));
    wide.limbs[1] = static_cast<U64>(value >> 64);
    return wide;
}

namespace detail {

template <std::size_t N>
std::array<U64, 2 * N> product(const std::array<U64, N> &a, const std::array<U64, N> &b) {
    std::array<U64, 2 * N> out{};
    for (std::size_t i = 0; i < N; ++i) {
        U128 carry = 0;
        for (std::size_t j = 0; j < N; ++j) {
            carry += static_cast<U128>(a[i]) * b[j] + out[i + j];
            out[i + j] = static_cast<U64>(carry);
            carry >>= 64;
        }
        out[i + N] = static_cast<U64>(carry);
    }
    return out;
}

template <std::size_t N>
bool at_least(const std::array<U64, N> &a, const std::array<U64, N> &b) {
    for (std::size_t i = N; i-- > 0;)
        if (a[i] != b[i])
            return a[i] > b[i];
    return true;
}

inline std::array<U64, 2> limbs_of(U128 value) { return {static_cast<U64>(value), static_cast<U64>(value >> 64)}; }

}  // namespace detail

// Whether a·b >= c·d, exactly: the comparison of the ratios a/d and c/b without a division.
inline bool product_at_least(U64 a, U64 b, U64 c, U64 d) { return static_cast<U128>(a) * b >= static_cast<U128>(c) * d; }
inline bool product_at_least(U128 a, U128 b, U128 c, U128 d) {
    using detail::limbs_of;
    return detail::at_least(detail::product(limbs_of(a), limbs_of(b)), detail::product(limbs_of(c), limbs_of(d)));
}
inline bool product_at_least(const Wide &a, const Wide &b, const Wide &c, const Wide &d) {
    return detail::at_least(detail::product(a.limbs, b.limbs), detail::product(c.limbs, d.limbs));
}

// Calls `plan` with a zero of the narrowest type that holds numbers of so many bits; 256 are the most.
template <class Plan>
auto in_narrowest(int bits, Plan plan) {
    if (bits <= 64)
        return plan(U64{0});
    if (bits <= 128)
        return plan(U128{0});
    return plan(Wide{});
}

}  // namespace wellposed::chain
