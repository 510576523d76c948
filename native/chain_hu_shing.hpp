// The optimum order of a chain in O(n log n) time and O(n) memory.
//
// T. C. Hu and M. T. Shing, Computation of Matrix Chain Products, part I, SIAM J. Comput. 11 (1982) 362-373, part II,
// SIAM J. Comput. 13 (1984) 228-251; the proof of part I was repaired by O. Schwartz and E. Weiss, Revisiting
// "Computation of Matrix Chain Products", SIAM J. Comput. 48 (2019) 1481-1486.
//
// In the words of the papers: vertices are ordered by weight, equal weights by position, which is the limit of weights
// that all differ, so that ties need no case of their own. One sweep finds the h-arcs, which do not cross; every optimum
// cuts the polygon along some of them, and below each of those it is the fan of the smaller end. Which ones is decided
// from the inside out by their supporting weights: an arc is worth having while the smallest vertex outside is heavier
// than its supporting weight num/den, num being the cost above the arc and den·w that of giving its region to a fan of
// weight w. The arcs that may still be had lie in a mergeable heap, the largest supporting weight on top.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "chain_numbers.hpp"
#include "chain_tree.hpp"

namespace wellposed::chain {

template <class Number>
class HuShing {
  public:
    // `weights` are positive, at least three, and the smallest is the first (of several, the first in the chain).
    explicit HuShing(const std::vector<U64> &weights)
        : w(weights), outermost_from(w.size(), none), outermost_to(w.size(), none) {
        prefix.reserve(w.size());
        prefix.push_back(Number{0});
        for (std::size_t i = 1; i < w.size(); ++i)
            prefix.push_back(prefix.back() + product(w[i - 1], w[i]));
        arcs.reserve(w.size());
        sweep();
        close_polygon();
    }

    // The triangles of the optimum; vertex i of the weights is called (i + shift) modulo their number.
    Triangulation triangles(std::size_t shift) const {
        const auto count = static_cast<Index>(w.size());
        Triangulation out(w.size());
        const auto add = [&](Index a, Index b, Index c) {
            const auto name = [&](Index i) {
                const std::size_t moved = static_cast<std::size_t>(i) + shift;
                return static_cast<Index>(moved < w.size() ? moved : moved - w.size());
            };
            out.add(name(a), name(b), name(c));
        };
        std::vector<Index> next(w.size());
        for (Index i = 0; i < count; ++i)
            next[at(i)] = i + 1;
        const std::vector<bool> had = arcs_of_optimum();
        for (std::size_t i = 0; i < arcs.size(); ++i) {
            if (!had[i])
                continue;
            const Arc &arc = arcs[i];
            if (smaller_end(arc) == arc.from)
                for (Index x = next[at(arc.from)]; x != arc.to; x = next[at(x)])
                    add(arc.from, x, next[at(x)]);
            else
                for (Index x = arc.from; next[at(x)] != arc.to; x = next[at(x)])
                    add(arc.to, x, next[at(x)]);
            next[at(arc.from)] = arc.to;
        }
        for (Index x = next[0]; next[at(x)] != count; x = next[at(x)])
            add(0, x, next[at(x)]);
        return out;
    }

  private:
    using Index = std::int32_t;
    static constexpr Index none = -1;

    enum class Fate : std::uint8_t { open, dropped, tied };

    struct Arc {
        Index from, to;
        Number base;      // the sides above it, multiplied end by end and added, less its own product
        Number den, num;  // of the supporting weight, with all that was tied to it
        Index below_from = none, below_to = none;  // the next open arc inside, at the same end
        Index child = none, sibling = none;        // in the heap
        Index tied_to = none;                      // had exactly if that one is
        Fate fate = Fate::open;
    };
    struct Subtree {
        Index arc, heap;
    };

    static std::size_t at(Index i) { return static_cast<std::size_t>(i); }
    static Number product(U64 a, U64 b) { return Number(a) * b; }
    Index smaller_end(const Arc &arc) const { return w[at(arc.from)] <= w[at(arc.to)] ? arc.from : arc.to; }

    void sweep() {
        std::vector<Index> rising;
        for (Index i = 0; i < static_cast<Index>(w.size()); ++i) {
            while (rising.size() >= 2 && w[at(rising.back())] > w[at(i)]) {
                rising.pop_back();
                if (rising.back() != 0)
                    settle(rising.back(), i);
            }
            rising.push_back(i);
        }
    }

    // Arcs come innermost first, so all that lies above the arc from `from` to `to` is settled.
    void settle(Index from, Index to) {
        const auto self = static_cast<Index>(arcs.size());
        Arc arc{};
        arc.from = from;
        arc.to = to;
        const Number own = product(w[at(from)], w[at(to)]);
        arc.base = prefix[at(to)] - prefix[at(from)] - own;
        arc.den = arc.base;
        Index heap = none;
        while (!subtrees.empty() && arcs[at(subtrees.back().arc)].from >= from) {
            arc.den -= arcs[at(subtrees.back().arc)].base;
            heap = meld(heap, subtrees.back().heap);
            subtrees.pop_back();
        }
        const U64 weight = w[at(smaller_end(arc))];
        drop_from(heap, arc.den, weight);
        arc.num = (arc.den + own - inner_side(arc)) * weight;
        // An arc above whose supporting weight is not smaller is had exactly if this one is.
        while (heap != none && product_at_least(arcs[at(heap)].num, arc.den, arc.num, arcs[at(heap)].den)) {
            Arc &above = arcs[at(heap)];
            arc.den += above.den;
            arc.num += above.num;
            above.fate = Fate::tied;
            above.tied_to = self;
            heap = without_top(heap);
        }
        arc.below_from = outermost_from[at(from)];
        arc.below_to = outermost_to[at(to)];
        outermost_from[at(from)] = self;
        outermost_to[at(to)] = self;
        arcs.push_back(arc);
        subtrees.push_back({self, meld(heap, self)});
    }

    // The fan of a vertex this light is cheaper than any arc of at least that supporting weight.
    void drop_from(Index &heap, Number &den, U64 weight) {
        while (heap != none && !(arcs[at(heap)].num < arcs[at(heap)].den * weight)) {
            den += arcs[at(heap)].den;
            arcs[at(heap)].fate = Fate::dropped;
            heap = without_top(heap);
        }
    }

    void close_polygon() {
        Index heap = none;
        Number den{0};
        for (const Subtree &subtree : subtrees)
            heap = meld(heap, subtree.heap);
        drop_from(heap, den, w[0]);
    }

    // The side next to the smaller end, within the region below the open arcs: the fan needs no triangle for it.
    Number inner_side(const Arc &arc) const {
        if (smaller_end(arc) == arc.from) {
            const Index open = outermost_from[at(arc.from)];
            return product(w[at(arc.from)], w[at(open == none ? arc.from + 1 : arcs[at(open)].to)]);
        }
        const Index open = outermost_to[at(arc.to)];
        return product(w[at(arc.to)], w[at(open == none ? arc.to - 1 : arcs[at(open)].from)]);
    }

    std::vector<bool> arcs_of_optimum() const {
        std::vector<bool> had(arcs.size());
        for (std::size_t i = arcs.size(); i-- > 0;)
            had[i] = arcs[i].fate == Fate::tied ? had[at(arcs[i].tied_to)] : arcs[i].fate == Fate::open;
        return had;
    }

    // --- a pairing heap over the arcs, the largest supporting weight on top -----------------------------------------

    Index meld(Index a, Index b) {
        if (a == none)
            return b;
        if (b == none)
            return a;
        if (!product_at_least(arcs[at(a)].num, arcs[at(b)].den, arcs[at(b)].num, arcs[at(a)].den))
            std::swap(a, b);
        arcs[at(b)].sibling = arcs[at(a)].child;
        arcs[at(a)].child = b;
        return a;
    }

    Index without_top(Index top) {
        // Of nested open arcs the outer one has the larger supporting weight, so it is the first in these lists.
        outermost_from[at(arcs[at(top)].from)] = arcs[at(top)].below_from;
        outermost_to[at(arcs[at(top)].to)] = arcs[at(top)].below_to;
        Index pairs = none;
        for (Index i = arcs[at(top)].child; i != none;) {
            const Index second = arcs[at(i)].sibling;
            const Index rest = second == none ? none : arcs[at(second)].sibling;
            arcs[at(i)].sibling = none;
            if (second != none)
                arcs[at(second)].sibling = none;
            const Index pair = meld(i, second);
            arcs[at(pair)].sibling = pairs;
            pairs = pair;
            i = rest;
        }
        Index merged = none;
        while (pairs != none) {
            const Index rest = arcs[at(pairs)].sibling;
            arcs[at(pairs)].sibling = none;
            merged = meld(merged, pairs);
            pairs = rest;
        }
        return merged;
    }

    const std::vector<U64> &w;
    std::vector<Number> prefix;
    std::vector<Arc> arcs;
    std::vector<Subtree> subtrees;
    std::vector<Index> outermost_from, outermost_to;  // the outermost open arc that starts, that ends at a vertex
};

}  // namespace wellposed::chain
