#include "chain_interval.hpp"

#include <utility>

#include "chain_prices.hpp"
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

}  // namespace

Order interval_order(const IntervalProblem &problem) {
    const std::size_t vertices = problem.dimensions.size();
    if (vertices < 3)
        return {};
    const Facts facts(problem);
    return in_narrowest(bits_of_cost(problem), [&](auto zero) -> Order {
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
