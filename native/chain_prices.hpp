// What one product of a chain costs, when more counts than its three dimensions.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "chain_interval.hpp"
#include "chain_numbers.hpp"

namespace wellposed::chain {

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

inline U64 largest_of(const std::vector<U64> &values) {
    return values.empty() ? 1 : std::max<U64>(1, *std::max_element(values.begin(), values.end()));
}

// Bits that the costs of all orders fit into; a product has up to three passes, two bits.
inline int bits_of_cost(const IntervalProblem &problem) {
    const int bits = 3 * std::bit_width(largest_of(problem.dimensions)) + std::bit_width(largest_of(problem.batches)) +
                     std::bit_width(problem.dimensions.size()) + 2;
    if (bits > 256)
        throw std::overflow_error("the cost of this chain may not fit into 256 bits");
    return bits;
}

// A price has `of(i, j)`, which gives the price of making the product of matrices i … j-1 as a function of its split.
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

}  // namespace wellposed::chain
