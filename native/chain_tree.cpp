#include "chain_tree.hpp"

namespace wellposed::chain {

std::vector<std::int32_t> contraction_sequence(const Triangulation &triangles) {
    // The tree of products is the Cartesian tree of the triangles' widths: the product that spans more comes later.
    const auto vertices = static_cast<std::int32_t>(triangles.low.size());
    const auto width = [&](std::int32_t b) {
        return triangles.high[static_cast<std::size_t>(b)] - triangles.low[static_cast<std::size_t>(b)];
    };
    std::vector<std::int32_t> sequence;
    std::vector<std::int32_t> waiting;
    sequence.reserve(triangles.low.size());
    // A product on the right spine waits until it is known that nothing inside it follows; whatever is popped by a wider
    // one is complete, and so are the ones above it on the spine, which are narrower.
    for (std::int32_t b = 1; b + 1 < vertices; ++b) {
        while (!waiting.empty() && width(waiting.back()) < width(b)) {
            sequence.push_back(waiting.back());
            waiting.pop_back();
        }
        waiting.push_back(b);
    }
    sequence.insert(sequence.end(), waiting.rbegin(), waiting.rend());
    return sequence;
}

}  // namespace wellposed::chain
