// Eight floats or four doubles at a time: AVX2, FMA and F16C, on x86-64 processors since 2013.
#include "statistics_parts.hpp"

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)

#include <immintrin.h>

#include "statistics_functions.hpp"

namespace wellposed {
namespace {

double total_of(__m256d values) {
    alignas(32) double lanes[4];
    _mm256_store_pd(lanes, values);
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

struct Avx2Sums {
    __m256d sum_low = _mm256_setzero_pd(), sum_high = _mm256_setzero_pd();
    __m256d squares_low = _mm256_setzero_pd(), squares_high = _mm256_setzero_pd();

    void add(__m256d low, __m256d high) {
        sum_low = _mm256_add_pd(sum_low, low);
        sum_high = _mm256_add_pd(sum_high, high);
        squares_low = _mm256_fmadd_pd(low, low, squares_low);
        squares_high = _mm256_fmadd_pd(high, high, squares_high);
    }
    double sum() const { return total_of(_mm256_add_pd(sum_low, sum_high)); }
    double squares() const { return total_of(_mm256_add_pd(squares_low, squares_high)); }
};

struct Avx2Singles {
    using Element = float;
    using Vector = __m256;
    using Counts = __m256i;
    using Keys = __m256i;  // the magnitude's bits less one, so that zero becomes the largest
    using Key = uint32_t;
    static constexpr int64_t width = 8;
    static constexpr double least_mean_square = 1e-30;
    static constexpr double least_share = 0.1;

    static Vector load(const float *from) { return _mm256_loadu_ps(from); }
    static Vector broadcast(float value) { return _mm256_set1_ps(value); }
    static Vector smaller(Vector a, Vector b) { return _mm256_min_ps(a, b); }
    static Vector larger(Vector a, Vector b) { return _mm256_max_ps(a, b); }
    static Keys no_key() { return _mm256_set1_epi32(-1); }
    static Keys magnitudes(Vector values) {
        return _mm256_and_si256(_mm256_castps_si256(values), _mm256_set1_epi32(0x7fffffff));
    }
    static bool any_zero(Keys magnitudes) {
        return _mm256_movemask_epi8(_mm256_cmpeq_epi32(magnitudes, _mm256_setzero_si256())) != 0;
    }
    static Keys keys(Keys magnitudes) { return _mm256_add_epi32(magnitudes, _mm256_set1_epi32(-1)); }
    static Keys smaller_key(Keys a, Keys b) { return _mm256_min_epu32(a, b); }
    static Counts no_counts() { return _mm256_setzero_si256(); }
    static Counts add_zeros(Counts counts, Keys keys) {
        return _mm256_sub_epi32(counts, _mm256_cmpeq_epi32(keys, no_key()));
    }
    static Key key_below(double smallest_normal) {
        return std::bit_cast<uint32_t>(static_cast<float>(smallest_normal)) - 2;
    }
    static __m256i up_to(Keys keys, Key limit) {
        return _mm256_cmpeq_epi32(keys, _mm256_min_epu32(keys, _mm256_set1_epi32(static_cast<int>(limit))));
    }
    static bool any_up_to(Keys keys, Key limit) { return _mm256_movemask_epi8(up_to(keys, limit)) != 0; }
    static Counts add_up_to(Counts counts, Keys keys, Key limit) {
        return _mm256_sub_epi32(counts, up_to(keys, limit));
    }

    static int64_t total(Counts counts) {
        alignas(32) uint32_t lanes[8];
        _mm256_store_si256(reinterpret_cast<__m256i *>(lanes), counts);
        int64_t sum = 0;
        for (uint32_t lane : lanes)
            sum += lane;
        return sum;
    }
    static double lowest(Vector values) {
        alignas(32) float lanes[8];
        _mm256_store_ps(lanes, values);
        float found = lanes[0];
        for (float lane : lanes)
            found = lane < found ? lane : found;
        return found;
    }
    static double highest(Vector values) { return -lowest(_mm256_sub_ps(_mm256_set1_ps(-0.0f), values)); }
    static double smallest_value(Keys keys) {
        alignas(32) uint32_t lanes[8];
        _mm256_store_si256(reinterpret_cast<__m256i *>(lanes), keys);
        uint32_t found = lanes[0];
        for (uint32_t lane : lanes)
            found = lane < found ? lane : found;
        return found == UINT32_MAX ? __builtin_inf() : std::bit_cast<float>(found + 1);
    }

    struct Sums : Avx2Sums {
        using Avx2Sums::add;
        static __m256d low(Vector v) { return _mm256_cvtps_pd(_mm256_castps256_ps128(v)); }
        static __m256d high(Vector v) { return _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)); }
        static __m256d folded(Vector v) {
            return _mm256_cvtps_pd(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
        }
        void add(Vector values) { add(low(values), high(values)); }
        void add_four(Vector a, Vector b, Vector c, Vector d) {
            const Vector total = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
            const Vector first = _mm256_fmadd_ps(a, a, _mm256_mul_ps(b, b));
            const Vector second = _mm256_fmadd_ps(c, c, _mm256_mul_ps(d, d));
            const Vector square = _mm256_add_ps(first, second);
            sum_low = _mm256_add_pd(sum_low, folded(total));
            squares_low = _mm256_add_pd(squares_low, folded(square));
        }
        void add_shifted(Vector values, double shift) {
            const __m256d shifts = _mm256_set1_pd(shift);
            add(_mm256_sub_pd(low(values), shifts), _mm256_sub_pd(high(values), shifts));
        }
    };
};

struct Avx2Doubles {
    using Element = double;
    using Vector = __m256d;
    using Counts = __m256i;
    using Keys = __m256d;  // the magnitude, or NaN where it is zero: the minimum then keeps the other operand
    using Key = double;
    static constexpr int64_t width = 4;
    static constexpr double least_mean_square = 0;
    static constexpr double least_share = 1e-5;

    static Vector load(const double *from) { return _mm256_loadu_pd(from); }
    static Vector broadcast(float value) { return _mm256_set1_pd(static_cast<double>(value)); }
    static Vector smaller(Vector a, Vector b) { return _mm256_min_pd(a, b); }
    static Vector larger(Vector a, Vector b) { return _mm256_max_pd(a, b); }
    static Keys no_key() { return _mm256_set1_pd(__builtin_inf()); }
    static Keys magnitudes(Vector values) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), values); }
    static __m256d are_zero(Keys magnitudes) { return _mm256_cmp_pd(magnitudes, _mm256_setzero_pd(), _CMP_EQ_OQ); }
    static bool any_zero(Keys magnitudes) { return _mm256_movemask_pd(are_zero(magnitudes)) != 0; }
    static Keys keys(Keys magnitudes) { return _mm256_or_pd(magnitudes, are_zero(magnitudes)); }
    static Keys smaller_key(Keys keys, Keys so_far) { return _mm256_min_pd(keys, so_far); }
    static Counts no_counts() { return _mm256_setzero_si256(); }
    static Counts add_zeros(Counts counts, Keys keys) {
        return _mm256_sub_epi64(counts, _mm256_castpd_si256(_mm256_cmp_pd(keys, keys, _CMP_UNORD_Q)));
    }
    static Key key_below(double smallest_normal) {
        return std::bit_cast<double>(std::bit_cast<uint64_t>(smallest_normal) - 1);
    }
    static __m256d up_to(Keys keys, Key limit) { return _mm256_cmp_pd(keys, _mm256_set1_pd(limit), _CMP_LE_OQ); }
    static bool any_up_to(Keys keys, Key limit) { return _mm256_movemask_pd(up_to(keys, limit)) != 0; }
    static Counts add_up_to(Counts counts, Keys keys, Key limit) {
        return _mm256_sub_epi64(counts, _mm256_castpd_si256(up_to(keys, limit)));
    }

    static int64_t total(Counts counts) {
        alignas(32) int64_t lanes[4];
        _mm256_store_si256(reinterpret_cast<__m256i *>(lanes), counts);
        return lanes[0] + lanes[1] + lanes[2] + lanes[3];
    }
    static double lowest(Vector values) {
        alignas(32) double lanes[4];
        _mm256_store_pd(lanes, values);
        double found = lanes[0];
        for (double lane : lanes)
            found = lane < found ? lane : found;
        return found;
    }
    static double highest(Vector values) { return -lowest(_mm256_sub_pd(_mm256_set1_pd(-0.0), values)); }
    static double smallest_value(Keys keys) { return lowest(keys); }

    struct Sums : Avx2Sums {
        using Avx2Sums::add;
        void add(Vector values) {
            sum_low = _mm256_add_pd(sum_low, values);
            squares_low = _mm256_fmadd_pd(values, values, squares_low);
        }
        void add_four(Vector a, Vector b, Vector c, Vector d) {
            add(a, b);
            add(c, d);
        }
        void add_shifted(Vector values, double shift) { add(_mm256_sub_pd(values, _mm256_set1_pd(shift))); }
    };
};

void decode_halves_f16c(const uint16_t *from, float *to, int64_t count) {
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(from + i))));
    decode_half_block(from + i, to + i, count - i);
}

struct Avx2 {
    static constexpr const char *name = "avx2";
    using Singles = Avx2Singles;
    using Doubles = Avx2Doubles;
    static constexpr auto decode_halves = decode_halves_f16c;
};

}  // namespace

const Kernels *avx2_kernels() { return &kernels_of<Avx2>; }

}  // namespace wellposed

#else

namespace wellposed {
const Kernels *avx2_kernels() { return nullptr; }
}  // namespace wellposed

#endif
