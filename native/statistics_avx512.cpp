// Sixteen floats or eight doubles at a time: AVX-512 F, BW, DQ and VL.
#include "statistics_parts.hpp"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

#include <immintrin.h>

#include "statistics_functions.hpp"

namespace wellposed {
namespace {

struct Avx512Sums {
    __m512d sum_low = _mm512_setzero_pd(), sum_high = _mm512_setzero_pd();
    __m512d squares_low = _mm512_setzero_pd(), squares_high = _mm512_setzero_pd();

    void add(__m512d low, __m512d high) {
        sum_low = _mm512_add_pd(sum_low, low);
        sum_high = _mm512_add_pd(sum_high, high);
        squares_low = _mm512_fmadd_pd(low, low, squares_low);
        squares_high = _mm512_fmadd_pd(high, high, squares_high);
    }
    double sum() const { return _mm512_reduce_add_pd(_mm512_add_pd(sum_low, sum_high)); }
    double squares() const { return _mm512_reduce_add_pd(_mm512_add_pd(squares_low, squares_high)); }
};

struct Avx512Singles {
    using Element = float;
    using Vector = __m512;
    using Counts = __m512i;
    using Keys = __m512i;  // the magnitude's bits less one, so that zero becomes the largest
    using Key = uint32_t;
    static constexpr int64_t width = 16;
    static constexpr double least_mean_square = 1e-30;
    static constexpr double least_share = 0.1;

    static Vector load(const float *from) { return _mm512_loadu_ps(from); }
    static Vector broadcast(float value) { return _mm512_set1_ps(value); }
    static Vector smaller(Vector a, Vector b) { return _mm512_min_ps(a, b); }
    static Vector larger(Vector a, Vector b) { return _mm512_max_ps(a, b); }
    static Keys no_key() { return _mm512_set1_epi32(-1); }
    static Keys magnitudes(Vector values) {
        return _mm512_and_si512(_mm512_castps_si512(values), _mm512_set1_epi32(0x7fffffff));
    }
    static bool any_zero(Keys magnitudes) { return _mm512_testn_epi32_mask(magnitudes, magnitudes) != 0; }
    static Keys keys(Keys magnitudes) { return _mm512_add_epi32(magnitudes, _mm512_set1_epi32(-1)); }
    static Keys smaller_key(Keys a, Keys b) { return _mm512_min_epu32(a, b); }
    static Counts no_counts() { return _mm512_setzero_si512(); }
    static Counts add_one(Counts counts, __mmask16 where) {
        return _mm512_mask_add_epi32(counts, where, counts, _mm512_set1_epi32(1));
    }
    static Counts add_zeros(Counts counts, Keys keys) {
        return add_one(counts, _mm512_cmpeq_epi32_mask(keys, no_key()));
    }
    static Key key_below(double smallest_normal) {
        return std::bit_cast<uint32_t>(static_cast<float>(smallest_normal)) - 2;
    }
    static __mmask16 up_to(Keys keys, Key limit) {
        return _mm512_cmple_epu32_mask(keys, _mm512_set1_epi32(static_cast<int>(limit)));
    }
    static bool any_up_to(Keys keys, Key limit) { return up_to(keys, limit) != 0; }
    static Counts add_up_to(Counts counts, Keys keys, Key limit) { return add_one(counts, up_to(keys, limit)); }

    static int64_t total(Counts counts) {
        return static_cast<uint32_t>(_mm512_reduce_add_epi32(counts));
    }
    static double lowest(Vector values) { return static_cast<double>(_mm512_reduce_min_ps(values)); }
    static double highest(Vector values) { return static_cast<double>(_mm512_reduce_max_ps(values)); }
    static double smallest_value(Keys keys) {
        const uint32_t found = _mm512_reduce_min_epu32(keys);
        return found == UINT32_MAX ? __builtin_inf() : static_cast<double>(std::bit_cast<float>(found + 1));
    }

    struct Sums : Avx512Sums {
        using Avx512Sums::add;
        static __m512d low(Vector v) { return _mm512_cvtps_pd(_mm512_castps512_ps256(v)); }
        static __m512d high(Vector v) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)); }
        static __m512d folded(Vector v) {
            return _mm512_cvtps_pd(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
        }
        void add(Vector values) { add(low(values), high(values)); }
        void add_four(Vector a, Vector b, Vector c, Vector d) {
            const Vector total = _mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d));
            const Vector first = _mm512_fmadd_ps(a, a, _mm512_mul_ps(b, b));
            const Vector second = _mm512_fmadd_ps(c, c, _mm512_mul_ps(d, d));
            const Vector square = _mm512_add_ps(first, second);
            sum_low = _mm512_add_pd(sum_low, folded(total));
            squares_low = _mm512_add_pd(squares_low, folded(square));
        }
        void add_shifted(Vector values, double shift) {
            const __m512d shifts = _mm512_set1_pd(shift);
            add(_mm512_sub_pd(low(values), shifts), _mm512_sub_pd(high(values), shifts));
        }
    };
};

struct Avx512Doubles {
    using Element = double;
    using Vector = __m512d;
    using Counts = __m512i;
    using Keys = __m512i;
    using Key = uint64_t;
    static constexpr int64_t width = 8;
    static constexpr double least_mean_square = 0;
    static constexpr double least_share = 1e-5;

    static Vector load(const double *from) { return _mm512_loadu_pd(from); }
    static Vector broadcast(float value) { return _mm512_set1_pd(static_cast<double>(value)); }
    static Vector smaller(Vector a, Vector b) { return _mm512_min_pd(a, b); }
    static Vector larger(Vector a, Vector b) { return _mm512_max_pd(a, b); }
    static Keys no_key() { return _mm512_set1_epi64(-1); }
    static Keys magnitudes(Vector values) {
        return _mm512_and_si512(_mm512_castpd_si512(values), _mm512_set1_epi64(INT64_MAX));
    }
    static bool any_zero(Keys magnitudes) { return _mm512_testn_epi64_mask(magnitudes, magnitudes) != 0; }
    static Keys keys(Keys magnitudes) { return _mm512_add_epi64(magnitudes, _mm512_set1_epi64(-1)); }
    static Keys smaller_key(Keys a, Keys b) { return _mm512_min_epu64(a, b); }
    static Counts no_counts() { return _mm512_setzero_si512(); }
    static Counts add_one(Counts counts, __mmask8 where) {
        return _mm512_mask_add_epi64(counts, where, counts, _mm512_set1_epi64(1));
    }
    static Counts add_zeros(Counts counts, Keys keys) {
        return add_one(counts, _mm512_cmpeq_epi64_mask(keys, no_key()));
    }
    static Key key_below(double smallest_normal) { return std::bit_cast<uint64_t>(smallest_normal) - 2; }
    static __mmask8 up_to(Keys keys, Key limit) {
        return _mm512_cmple_epu64_mask(keys, _mm512_set1_epi64(static_cast<long long>(limit)));
    }
    static bool any_up_to(Keys keys, Key limit) { return up_to(keys, limit) != 0; }
    static Counts add_up_to(Counts counts, Keys keys, Key limit) { return add_one(counts, up_to(keys, limit)); }

    static int64_t total(Counts counts) { return _mm512_reduce_add_epi64(counts); }
    static double lowest(Vector values) { return _mm512_reduce_min_pd(values); }
    static double highest(Vector values) { return _mm512_reduce_max_pd(values); }
    static double smallest_value(Keys keys) {
        const uint64_t found = _mm512_reduce_min_epu64(keys);
        return found == UINT64_MAX ? __builtin_inf() : std::bit_cast<double>(found + 1);
    }

    struct Sums : Avx512Sums {
        using Avx512Sums::add;
        void add(Vector values) {
            sum_low = _mm512_add_pd(sum_low, values);
            squares_low = _mm512_fmadd_pd(values, values, squares_low);
        }
        void add_four(Vector a, Vector b, Vector c, Vector d) {
            add(a, b);
            add(c, d);
        }
        void add_shifted(Vector values, double shift) { add(_mm512_sub_pd(values, _mm512_set1_pd(shift))); }
    };
};

void decode_halves_wide(const uint16_t *from, float *to, int64_t count) {
    int64_t i = 0;
    for (; i + 16 <= count; i += 16)
        _mm512_storeu_ps(to + i, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(from + i))));
    decode_half_block(from + i, to + i, count - i);
}

struct Avx512 {
    static constexpr const char *name = "avx512";
    using Singles = Avx512Singles;
    using Doubles = Avx512Doubles;
    static constexpr auto decode_halves = decode_halves_wide;
};

}  // namespace

const Kernels *avx512_kernels() { return &kernels_of<Avx512>; }

}  // namespace wellposed

#else

namespace wellposed {
const Kernels *avx512_kernels() { return nullptr; }
}  // namespace wellposed

#endif
