#include "chain_interval.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "chain_tree.hpp"

namespace wellposed::chain {
namespace {

// Tables over intervals [i, j) of matrices, kept on both sides of the diagonal so that both factors of a product are
// read along a row.
template <class Number>
class Table {
  public:
    explicit Table(std::size_t vertices) : side(vertices), cells(vertices * vertices, Number{0}) {}
    const Number *row(std::size_t i) const { return cells.data() + i * side; }
    void set(std::size_t i, std::size_t j, Number value) {
        cells[i * side + j] = value;
        cells[j * side + i] = value;
    }

  private:
    std::size_t side;
    std::vector<Number> cells;
};

class Facts {
  public:
    explicit Facts(const IntervalProblem &problem) : problem(problem), before(problem.dimensions.size(), 0) {
        for (std::size_t i = 0; i < problem.gradients.size(); ++i)
            before[i + 1] = before[i] + (problem.gradients[i] ? 1 : 0);
    }
    U64 batch(std::size_t i, std::size_t j) const {
        return problem.batches.empty() ? 1 : problem.batches[i * problem.dimensions.size() + j];
    }
    // A product and, in the backward pass, one more of the same size for each factor that needs a gradient.
    U64 passes(std::size_t i, std::size_t k, std::size_t j) const {
        return 1 + (before[k] > before[i] ? 1 : 0) + (before[j] > before[k] ? 1 : 0);
    }

  private:
    const IntervalProblem &problem;
    std::vector<std::int32_t> before;  // matrices before i that need a gradient
};

// Fills the table from short intervals to long ones; `price(i, k, j)` is the cost of the one product.
template <class Number, class Price>
std::pair<Number, std::vector<std::int32_t>> best(std::size_t vertices, Price price) {
    Table<Number> cost(vertices);
    std::vector<std::int32_t> split(vertices * vertices, -1);
    for (std::size_t length = 2; length < vertices; ++length) {
        for (std::size_t i = 0; i + length < vertices; ++i) {
            const std::size_t j = i + length;
            const Number *const left = cost.row(i);
            const Number *const right = cost.row(j);
            const auto at = price.of(i, j);
            // The last of several equals: left to right where it makes no difference.
            std::size_t chosen = j - 1;
            Number least = left[chosen] + right[chosen] + at(chosen);
            for (std::size_t k = j - 1; k-- > i + 1;) {
                const Number candidate = left[k] + right[k] + at(k);
                if (candidate < least) {
                    least = candidate;
                    chosen = k;
                }
            }
            cost.set(i, j, least);
            split[i * vertices + j] = static_cast<std::int32_t>(chosen);
        }
    }
    Triangulation triangles(vertices);
    std::vector<std::pair<std::size_t, std::size_t>> open{{0, vertices - 1}};
    while (!open.empty()) {
        const auto [i, j] = open.back();
        open.pop_back();
        if (j - i < 2)
            continue;
        const auto k = static_cast<std::size_t>(split[i * vertices + j]);
        triangles.add(static_cast<std::int32_t>(i), static_cast<std::int32_t>(k), static_cast<std::int32_t>(j));
        open.emplace_back(i, k);
        open.emplace_back(k, j);
    }
    return {cost.row(0)[vertices - 1], contraction_sequence(triangles)};
}

template <class Number>
struct Multiplications {
    const IntervalProblem &problem;
    const Facts &facts;
    bool plain;

    auto of(std::size_t i, std::size_t j) const {
        const Number outer = Number(problem.dimensions[i]) * problem.dimensions[j] * facts.batch(i, j);
        return [this, i, j, outer](std::size_t k) {
            const Number once = outer * problem.dimensions[k];
            return plain ? once : once * facts.passes(i, k, j);
        };
    }
};

struct Weighted {
    const IntervalProblem &problem;
    const Facts &facts;
    double arithmetic, moved;

    double elements(std::size_t i, std::size_t j) const {
        return static_cast<double>(facts.batch(i, j)) * static_cast<double>(problem.dimensions[i]) *
               static_cast<double>(problem.dimensions[j]);
    }
    auto of(std::size_t i, std::size_t j) const {
        const double result = elements(i, j);
        return [this, i, j, result](std::size_t k) {
            const double once = arithmetic * result * static_cast<double>(problem.dimensions[k]) +
                                moved * (elements(i, k) + elements(k, j) + result);
            return once * static_cast<double>(facts.passes(i, k, j));
        };
    }
};

U64 largest_of(const std::vector<U64> &values) {
    return values.empty() ? 1 : std::max<U64>(1, *std::max_element(values.begin(), values.end()));
}

}  // namespace

Order interval_order(const IntervalProblem &problem) {
    const std::size_t vertices = problem.dimensions.size();
    if (vertices < 3)
        return {};
    const Facts facts(problem);
    const U64 largest = largest_of(problem.dimensions), batch = largest_of(problem.batches);
    // Up to three passes, two bits.
    const int bits = 3 * std::bit_width(largest) + std::bit_width(batch) + std::bit_width(vertices) + 2;
    if (bits > 256)
        throw std::overflow_error("the cost of this chain may not fit into 256 bits");
    return in_narrowest(bits, [&](auto zero) -> Order {
        using Number = decltype(zero);
        const Multiplications<Number> price{problem, facts, problem.gradients.empty()};
        auto [cost, sequence] = best<Number>(vertices, price);
        return {widened(cost), std::move(sequence)};
    });
}

WeightedOrder weighted_order(const IntervalProblem &problem, double arithmetic, double moved) {
    if (problem.dimensions.size() < 3)
        return {0.0, {}};
    const Facts facts(problem);
    auto [cost, sequence] = best<double>(problem.dimensions.size(), Weighted{problem, facts, arithmetic, moved});
    return {cost, std::move(sequence)};
}

}  // namespace wellposed::chain
