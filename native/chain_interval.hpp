// The order of a chain by the classic dynamic programme over intervals, O(n^3): for costs that depend on more than three
// dimensions, and as a reference for the planner that takes O(n log n).
#pragma once

#include <cstdint>
#include <vector>

#include "chain_numbers.hpp"
#include "chain_order.hpp"

namespace wellposed::chain {

struct IntervalProblem {
    std::vector<U64> dimensions;  // n + 1
    // Size of the batch of the product of matrices i … j-1, at i·(n + 1) + j; empty where there is no batch.
    std::vector<U64> batches;
    // Whether each matrix needs a gradient; empty where none does.
    std::vector<bool> gradients;

    std::size_t matrices() const { return dimensions.size() - 1; }
};

// Fewest scalar multiplications, those of the backward pass included. Throws std::overflow_error where a cost may be
// beyond 256 bits.
Order interval_order(const IntervalProblem &problem);

// The least sum over products of `arithmetic` for a scalar multiplication and `moved` for an element read or written.
struct WeightedOrder {
    double cost;
    std::vector<std::int32_t> sequence;
};
WeightedOrder weighted_order(const IntervalProblem &problem, double arithmetic, double moved);

}  // namespace wellposed::chain
