// Orders of a chain under the memory that their intermediates take.
//
// The peak of an order is the largest number of elements alive at once beyond the operands: a product is alive together
// with its two factors while it is written, and the result counts. One factor is finished before the other is begun, as
// nested expressions are evaluated, the one first with which the peak is lower.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "chain_interval.hpp"
#include "chain_numbers.hpp"

namespace wellposed::chain {

// The least peak of all orders.
Wide least_peak(const IntervalProblem &problem);

// The peak of one order, given by its inner dimensions as they are contracted, and the sequence that attains it.
struct PeakOfOrder {
    Wide peak;
    std::vector<std::int32_t> sequence;
};
PeakOfOrder peak_of_order(const IntervalProblem &problem, const std::vector<std::int32_t> &sequence);

template <class Cost>
struct FrontPoint {
    Wide peak;
    Cost cost;
    std::vector<std::int32_t> sequence;
};

// All trades of peak against cost that no other order beats in both, the smallest peak first; none above `limit`.
std::vector<FrontPoint<Wide>> front(const IntervalProblem &problem, const std::optional<Wide> &limit);
std::vector<FrontPoint<double>> weighted_front(const IntervalProblem &problem, const std::optional<Wide> &limit,
                                               double arithmetic, double moved);

}  // namespace wellposed::chain
