#include "chain_order.hpp"

#include <algorithm>

#include "chain_hu_shing.hpp"
#include "chain_tree.hpp"

namespace wellposed::chain {
namespace {

// Every product has the vertex `hub` among its dimensions.
Triangulation fan(std::size_t vertices, std::size_t hub) {
    Triangulation out(vertices);
    const auto centre = static_cast<std::int32_t>(hub);
    for (std::size_t i = 0; i < vertices; ++i) {
        const std::size_t next = i + 1 < vertices ? i + 1 : 0;
        if (i != hub && next != hub)
            out.add(centre, static_cast<std::int32_t>(i), static_cast<std::int32_t>(next));
    }
    return out;
}

template <class Number>
Number cost_of(const Triangulation &triangles, const std::vector<U64> &dimensions) {
    Number sum{0};
    for (std::size_t b = 1; b + 1 < dimensions.size(); ++b)
        sum += Number(dimensions[static_cast<std::size_t>(triangles.low[b])]) * dimensions[b] *
               dimensions[static_cast<std::size_t>(triangles.high[b])];
    return sum;
}

template <class Number>
Order planned(const std::vector<U64> &dimensions, std::size_t first) {
    std::vector<U64> weights(dimensions);
    std::rotate(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(first), weights.end());
    const Triangulation triangles = HuShing<Number>(weights).triangles(first);
    return {widened(cost_of<Number>(triangles, dimensions)), contraction_sequence(triangles)};
}

}  // namespace

Order optimum_order(const std::vector<U64> &dimensions) {
    if (dimensions.size() < 3)
        return {};
    const auto smallest = std::min_element(dimensions.begin(), dimensions.end());
    const auto first = static_cast<std::size_t>(smallest - dimensions.begin());
    // The theory supposes positive weights. With a zero, its fan gives every product a dimension of zero: nothing is
    // multiplied at all, and nothing costs less.
    if (*smallest == 0)
        return {Wide{}, contraction_sequence(fan(dimensions.size(), first))};
    const U64 largest = *std::max_element(dimensions.begin(), dimensions.end());
    const int bits = 3 * std::bit_width(largest) + std::bit_width(dimensions.size());
    return in_narrowest(bits, [&](auto zero) { return planned<decltype(zero)>(dimensions, first); });
}

}  // namespace wellposed::chain
