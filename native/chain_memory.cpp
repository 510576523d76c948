#include "chain_memory.hpp"

#include <algorithm>
#include <utility>

#include "chain_prices.hpp"
#include "chain_tree.hpp"

namespace wellposed::chain {
namespace {

// Elements of the product of matrices i … j-1; an operand takes nothing, it is there anyway.
template <class Number>
class Sizes {
  public:
    Sizes(const IntervalProblem &problem, const Facts &facts) : problem(problem), facts(facts) {}
    Number operator()(std::size_t i, std::size_t j) const {
        return j - i < 2 ? Number{0} : Number(problem.dimensions[i]) * problem.dimensions[j] * facts.batch(i, j);
    }

  private:
    const IntervalProblem &problem;
    const Facts &facts;
};

template <class Number>
const Number &larger(const Number &a, const Number &b) {
    return a < b ? b : a;
}
template <class Number>
const Number &smaller(const Number &a, const Number &b) {
    return b < a ? b : a;
}

// With the sizes of both factors and of all three, and the peaks of making the factors.
template <class Number>
struct Product {
    Number left_size, right_size, together;

    Number peak_left_first(const Number &left, const Number &right) const {
        return larger(together, larger(left, Number(left_size + right)));
    }
    Number peak_right_first(const Number &left, const Number &right) const {
        return larger(together, larger(right, Number(right_size + left)));
    }
    Number peak(const Number &left, const Number &right) const {
        return smaller(peak_left_first(left, right), peak_right_first(left, right));
    }
};

template <class Number>
Product<Number> product_of(const Sizes<Number> &size, std::size_t i, std::size_t k, std::size_t j) {
    const Number left = size(i, k), right = size(k, j);
    return {left, right, left + right + size(i, j)};
}

template <class Number>
Number least_peak_in(const IntervalProblem &problem) {
    const std::size_t vertices = problem.dimensions.size();
    const Facts facts(problem);
    const Sizes<Number> size(problem, facts);
    std::vector<Number> least(vertices * vertices, Number{0});
    for (std::size_t length = 2; length < vertices; ++length) {
        for (std::size_t i = 0, j = length; j < vertices; ++i, ++j) {
            Number &best = least[i * vertices + j];
            for (std::size_t k = i + 1; k < j; ++k) {
                const Number peak =
                    product_of(size, i, k, j).peak(least[i * vertices + k], least[k * vertices + j]);
                if (k == i + 1 || peak < best)
                    best = peak;
            }
        }
    }
    return least[vertices - 1];
}

template <class Number, class Cost>
struct Point {
    Number peak;
    Cost cost;
    std::int32_t split, left, right;  // where it was cut, and which points of the two fronts were taken
};

template <class Number, class Cost>
using Front = std::vector<Point<Number, Cost>>;

// Keeps what no other point beats, the smallest peak first.
template <class Number, class Cost>
void prune(Front<Number, Cost> &points) {
    std::sort(points.begin(), points.end(), [](const auto &a, const auto &b) {
        return a.peak < b.peak || (!(b.peak < a.peak) && a.cost < b.cost);
    });
    std::size_t kept = 0;
    for (const auto &point : points)
        if (kept == 0 || point.cost < points[kept - 1].cost)
            points[kept++] = point;
    points.resize(kept);
}

template <class Number, class Cost>
std::vector<std::int32_t> sequence_of(const std::vector<Front<Number, Cost>> &fronts, std::size_t vertices,
                                      std::size_t which) {
    struct Part {
        std::size_t i, j, point;
    };
    Triangulation triangles(vertices);
    std::vector<Part> open{{0, vertices - 1, which}};
    while (!open.empty()) {
        const Part part = open.back();
        open.pop_back();
        if (part.j - part.i < 2)
            continue;
        const auto &point = fronts[part.i * vertices + part.j][part.point];
        const auto k = static_cast<std::size_t>(point.split);
        triangles.add(static_cast<std::int32_t>(part.i), point.split, static_cast<std::int32_t>(part.j));
        open.push_back({part.i, k, static_cast<std::size_t>(point.left)});
        open.push_back({k, part.j, static_cast<std::size_t>(point.right)});
    }
    return contraction_sequence(triangles);
}

template <class Number, class Cost, class Price>
std::vector<Front<Number, Cost>> fronts_of(const IntervalProblem &problem, const Facts &facts, const Price &price,
                                           const std::optional<Number> &limit) {
    const std::size_t vertices = problem.dimensions.size();
    const Sizes<Number> size(problem, facts);
    std::vector<Front<Number, Cost>> fronts(vertices * vertices);
    for (std::size_t i = 0; i + 1 < vertices; ++i)
        fronts[i * vertices + i + 1].push_back({Number{0}, Cost{0}, -1, -1, -1});
    for (std::size_t length = 2; length < vertices; ++length) {
        for (std::size_t i = 0, j = length; j < vertices; ++i, ++j) {
            auto &here = fronts[i * vertices + j];
            const auto at = price.of(i, j);
            for (std::size_t k = i + 1; k < j; ++k) {
                const auto &lefts = fronts[i * vertices + k], &rights = fronts[k * vertices + j];
                const Product<Number> product = product_of(size, i, k, j);
                const Cost own = at(k);
                for (std::size_t l = 0; l < lefts.size(); ++l) {
                    for (std::size_t r = 0; r < rights.size(); ++r) {
                        const Number peak = product.peak(lefts[l].peak, rights[r].peak);
                        if (limit && *limit < peak)
                            continue;
                        here.push_back({peak, lefts[l].cost + rights[r].cost + own, static_cast<std::int32_t>(k),
                                        static_cast<std::int32_t>(l), static_cast<std::int32_t>(r)});
                    }
                }
                prune(here);
            }
        }
    }
    return fronts;
}

template <class Out, class Number, class Cost>
std::vector<FrontPoint<Out>> told(const std::vector<Front<Number, Cost>> &fronts, std::size_t vertices) {
    std::vector<FrontPoint<Out>> out;
    const auto &last = fronts[vertices - 1];
    for (std::size_t which = 0; which < last.size(); ++which)
        out.push_back({widened(last[which].peak), Out(last[which].cost), sequence_of(fronts, vertices, which)});
    return out;
}

Wide narrowed(const Wide &value, Wide) { return value; }
U128 narrowed(const Wide &value, U128) {
    if (value.limbs[2] || value.limbs[3])
        return ~U128{0};
    return static_cast<U128>(value.limbs[1]) << 64 | value.limbs[0];
}

template <class Number>
std::optional<Number> narrowed(const std::optional<Wide> &limit) {
    return limit ? std::optional<Number>(narrowed(*limit, Number{})) : std::nullopt;
}

}  // namespace

Wide least_peak(const IntervalProblem &problem) {
    if (problem.dimensions.size() < 3)
        return {};
    return bits_of_cost(problem) <= 128 ? widened(least_peak_in<U128>(problem)) : least_peak_in<Wide>(problem);
}

PeakOfOrder peak_of_order(const IntervalProblem &problem, const std::vector<std::int32_t> &sequence) {
    const std::size_t vertices = problem.dimensions.size();
    const Facts facts(problem);
    const Sizes<Wide> size(problem, facts);
    const auto at = [](std::int32_t i) { return static_cast<std::size_t>(i); };
    std::vector<std::int32_t> before(vertices), after(vertices);
    // The product that spans from a vertex to the right, and to the left: its middle, or -1 for an operand.
    std::vector<std::int32_t> starting(vertices, -1), ending(vertices, -1), left(vertices, -1), right(vertices, -1);
    std::vector<bool> right_first(vertices);
    std::vector<Wide> peak(vertices);
    for (std::size_t i = 0; i < vertices; ++i) {
        before[i] = static_cast<std::int32_t>(i) - 1;
        after[i] = static_cast<std::int32_t>(i) + 1;
    }
    for (const std::int32_t middle : sequence) {
        const std::int32_t i = before[at(middle)], j = after[at(middle)];
        left[at(middle)] = starting[at(i)];
        right[at(middle)] = ending[at(j)];
        const Wide none;
        const Wide &l = left[at(middle)] < 0 ? none : peak[at(left[at(middle)])];
        const Wide &r = right[at(middle)] < 0 ? none : peak[at(right[at(middle)])];
        const Product<Wide> product = product_of(size, at(i), at(middle), at(j));
        right_first[at(middle)] = product.peak_right_first(l, r) < product.peak_left_first(l, r);
        peak[at(middle)] = product.peak(l, r);
        starting[at(i)] = ending[at(j)] = middle;
        after[at(i)] = j;
        before[at(j)] = i;
    }
    if (sequence.empty())
        return {};
    // Backwards: a product, then the factor that comes second, then the one that comes first.
    PeakOfOrder out{peak[at(sequence.back())], {}};
    out.sequence.reserve(sequence.size());
    std::vector<std::int32_t> open{sequence.back()};
    while (!open.empty()) {
        const std::int32_t middle = open.back();
        open.pop_back();
        if (middle < 0)
            continue;
        out.sequence.push_back(middle);
        open.push_back(right_first[at(middle)] ? right[at(middle)] : left[at(middle)]);
        open.push_back(right_first[at(middle)] ? left[at(middle)] : right[at(middle)]);
    }
    std::reverse(out.sequence.begin(), out.sequence.end());
    return out;
}

std::vector<FrontPoint<Wide>> front(const IntervalProblem &problem, const std::optional<Wide> &limit) {
    const std::size_t vertices = problem.dimensions.size();
    if (vertices < 3)
        return {{Wide{}, Wide{}, {}}};
    const Facts facts(problem);
    const auto plan = [&](auto zero) {
        using Number = decltype(zero);
        const Multiplications<Number> price{problem, facts, problem.gradients.empty()};
        return told<Wide>(fronts_of<Number, Number>(problem, facts, price, narrowed<Number>(limit)), vertices);
    };
    return bits_of_cost(problem) <= 128 ? plan(U128{0}) : plan(Wide{});
}

std::vector<FrontPoint<double>> weighted_front(const IntervalProblem &problem, const std::optional<Wide> &limit,
                                               double arithmetic, double moved) {
    const std::size_t vertices = problem.dimensions.size();
    if (vertices < 3)
        return {{Wide{}, 0.0, {}}};
    const Facts facts(problem);
    const Weighted price{problem, facts, arithmetic, moved};
    const auto plan = [&](auto zero) {
        using Number = decltype(zero);
        return told<double>(fronts_of<Number, double>(problem, facts, price, narrowed<Number>(limit)), vertices);
    };
    return bits_of_cost(problem) <= 128 ? plan(U128{0}) : plan(Wide{});
}

}  // namespace wellposed::chain
