// An order of a chain as the triangles of a polygon, and as the sequence in which inner dimensions are contracted.
//
// The n + 1 dimensions are the vertices 0 … n of a polygon, the matrices its sides, and the result the side (0, n). A
// product of a p×q by a q×r matrix is the triangle of p, q and r, so an order is a triangulation, and its cost the sum
// over triangles of the product of their weights. Each of the vertices 1 … n - 1 is the middle of exactly one triangle.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace wellposed::chain {

struct Triangulation {
    // Of the triangle with the middle vertex b: its lowest and its highest vertex.
    std::vector<std::int32_t> low, high;

    explicit Triangulation(std::size_t vertices) : low(vertices, -1), high(vertices, -1) {}

    void add(std::int32_t a, std::int32_t b, std::int32_t c) {
        if (a > b)
            std::swap(a, b);
        if (b > c)
            std::swap(b, c);
        if (a > b)
            std::swap(a, b);
        low[static_cast<std::size_t>(b)] = a;
        high[static_cast<std::size_t>(b)] = c;
    }
};

// The middles in the order of evaluation: both factors of a product before it, the left one first.
std::vector<std::int32_t> contraction_sequence(const Triangulation &triangles);

}  // namespace wellposed::chain
