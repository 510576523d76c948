// Sixteen bytes at a time in the compiler's own vector types: any processor, and the measure of the other files.
#include "statistics_functions.hpp"

namespace wellposed {
namespace {

template <class Number, class Unsigned>
struct BaselineLanes {
    using Element = Number;
    static constexpr int64_t width = 16 / sizeof(Number);
    static constexpr double least_mean_square = 0;
    static constexpr double least_share = 1e-5;
    typedef Number Vector __attribute__((vector_size(16)));
    typedef Unsigned Keys __attribute__((vector_size(16)));  // the magnitude's bits less one: zero becomes the largest
    using Counts = Keys;
    using Key = Unsigned;

    static Vector load(const Number *from) {
        Vector values;
        __builtin_memcpy(&values, from, sizeof values);
        return values;
    }
    static Vector broadcast(float value) { return Vector{} + static_cast<Number>(value); }
    static Vector smaller(Vector a, Vector b) { return a < b ? a : b; }
    static Vector larger(Vector a, Vector b) { return a > b ? a : b; }
    static Keys no_key() { return ~Keys{}; }
    static Keys magnitudes(Vector values) {
        constexpr Unsigned all_but_sign = static_cast<Unsigned>(~Unsigned{0}) >> 1;
        return std::bit_cast<Keys>(values) & all_but_sign;
    }
    static bool any_zero(Keys magnitudes) { return total(Keys{} - std::bit_cast<Keys>(magnitudes == Keys{})) != 0; }
    static Keys keys(Keys magnitudes) { return magnitudes - 1; }
    static Keys smaller_key(Keys a, Keys b) { return a < b ? a : b; }
    static Counts no_counts() { return Counts{}; }
    static Counts add_zeros(Counts counts, Keys keys) { return counts - std::bit_cast<Keys>(keys == no_key()); }
    static Key key_below(double smallest_normal) {
        return std::bit_cast<Unsigned>(static_cast<Number>(smallest_normal)) - 2;
    }
    static Keys up_to(Keys keys, Key limit) { return std::bit_cast<Keys>(keys <= (Keys{} + limit)); }
    static bool any_up_to(Keys keys, Key limit) { return total(Keys{} - up_to(keys, limit)) != 0; }
    static Counts add_up_to(Counts counts, Keys keys, Key limit) { return counts - up_to(keys, limit); }

    static int64_t total(Counts counts) {
        int64_t sum = 0;
        for (int64_t i = 0; i < width; ++i)
            sum += static_cast<int64_t>(counts[i]);
        return sum;
    }
    static double lowest(Vector values) {
        Number found = values[0];
        for (int64_t i = 1; i < width; ++i)
            found = values[i] < found ? values[i] : found;
        return static_cast<double>(found);
    }
    static double highest(Vector values) { return -lowest(-values); }
    static double smallest_value(Keys keys) {
        Unsigned found = keys[0];
        for (int64_t i = 1; i < width; ++i)
            found = keys[i] < found ? keys[i] : found;
        if (found == static_cast<Unsigned>(~Unsigned{0}))
            return __builtin_inf();
        return static_cast<double>(std::bit_cast<Number>(static_cast<Unsigned>(found + 1)));
    }

    struct Sums {
        typedef double Doubles __attribute__((vector_size(16)));
        Doubles sum_low{}, sum_high{}, squares_low{}, squares_high{};

        static Doubles low(Vector values) { return Doubles{double(values[0]), double(values[1])}; }
        static Doubles high(Vector values) { return Doubles{double(values[width - 2]), double(values[width - 1])}; }
        void add(Vector values) { add_shifted(values, 0.0); }
        void add_four(Vector a, Vector b, Vector c, Vector d) {
            add(a);
            add(b);
            add(c);
            add(d);
        }
        void add_shifted(Vector values, double shift) {
            const Doubles first = low(values) - shift;
            sum_low += first;
            squares_low += first * first;
            if constexpr (width == 4) {
                const Doubles second = high(values) - shift;
                sum_high += second;
                squares_high += second * second;
            }
        }
        double sum() const { return (sum_low[0] + sum_low[1]) + (sum_high[0] + sum_high[1]); }
        double squares() const { return (squares_low[0] + squares_low[1]) + (squares_high[0] + squares_high[1]); }
    };
};

struct Baseline {
    static constexpr const char *name = "baseline";
    using Singles = BaselineLanes<float, uint32_t>;
    using Doubles = BaselineLanes<double, uint64_t>;
    static constexpr auto decode_halves = decode_half_block;
};

}  // namespace

const Kernels *baseline_kernels() { return &kernels_of<Baseline>; }

}  // namespace wellposed
