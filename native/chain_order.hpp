// The order of a chain that needs the fewest scalar multiplications.
#pragma once

#include <cstdint>
#include <vector>

#include "chain_numbers.hpp"

namespace wellposed::chain {

struct Order {
    Wide cost;                           // scalar multiplications
    std::vector<std::int32_t> sequence;  // inner dimensions, as they are contracted one after another
};

// The optimum for a chain of `dimensions.size() - 1` matrices, in O(n log n) time and O(n) memory.
Order optimum_order(const std::vector<U64> &dimensions);

}  // namespace wellposed::chain
