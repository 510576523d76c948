// The planners of chains for Python: exact costs as integers of any size, orders as bytes of 32-bit integers.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "chain_interval.hpp"
#include "chain_memory.hpp"
#include "chain_order.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace wellposed::chain;

namespace {

// Shorter chains are planned in less time than it takes to let go of the interpreter and to get it back.
constexpr std::size_t dimensions_worth_a_release = 64;

nb::object exact(const Wide &cost) {
    nb::object value = nb::int_(cost.limbs[3]);
    for (std::size_t i = 3; i-- > 0;)
        if (value.equal(nb::int_(0)))
            value = nb::int_(cost.limbs[i]);
        else
            value = (value << nb::int_(64)) | nb::int_(cost.limbs[i]);
    return value;
}

// Limits beyond 256 bits limit nothing.
std::optional<Wide> limit_of(const nb::object &limit) {
    if (limit.is_none())
        return std::nullopt;
    const nb::object mask = nb::int_(~U64{0});
    Wide wide;
    nb::object rest = limit;
    for (U64 &limb : wide.limbs) {
        limb = nb::cast<U64>(rest & mask);
        rest = rest >> nb::int_(64);
    }
    return rest.equal(nb::int_(0)) ? std::optional(wide) : std::nullopt;
}

nb::bytes packed(const std::vector<std::int32_t> &sequence) {
    return nb::bytes(reinterpret_cast<const char *>(sequence.data()), sequence.size() * sizeof(std::int32_t));
}

template <class Points, class Told>
nb::list listed(const Points &points, Told told) {
    nb::list out;
    for (const auto &point : points)
        out.append(nb::make_tuple(exact(point.peak), told(point.cost), packed(point.sequence)));
    return out;
}

// Memory is read by these numbers: each inner dimension must be there once.
std::vector<std::int32_t> unpacked(const nb::bytes &sequence, const IntervalProblem &problem) {
    std::vector<std::int32_t> out(sequence.size() / sizeof(std::int32_t));
    if (!out.empty())
        std::memcpy(out.data(), sequence.c_str(), out.size() * sizeof(std::int32_t));
    std::vector<bool> seen(problem.dimensions.size());
    for (const std::int32_t middle : out) {
        const auto position = static_cast<std::size_t>(middle);
        if (middle < 1 || middle >= static_cast<std::int64_t>(problem.matrices()) || seen[position])
            throw nb::value_error("a sequence has each inner dimension once");
        seen[position] = true;
    }
    if (out.size() + 1 != problem.matrices())
        throw nb::value_error("a sequence has each inner dimension once");
    return out;
}

template <class Plan>
auto without_interpreter(std::size_t dimensions, Plan plan) {
    if (dimensions < dimensions_worth_a_release)
        return plan();
    const nb::gil_scoped_release release;
    return plan();
}

IntervalProblem problem_of(std::vector<U64> dimensions, std::vector<U64> batches, const std::vector<bool> &gradients) {
    const std::size_t vertices = dimensions.size();
    if (vertices < 2)
        throw nb::value_error("a chain has at least two dimensions");
    if (!batches.empty() && batches.size() != vertices * vertices)
        throw nb::value_error("batches are a square table over the dimensions");
    if (!gradients.empty() && gradients.size() + 1 != vertices)
        throw nb::value_error("gradients has one entry for each matrix");
    return {std::move(dimensions), std::move(batches), gradients};
}

}  // namespace

void bind_chain(nb::module_ &m) {
    m.def(
        "chain_order",
        [](const std::vector<U64> &dimensions) {
            for (const U64 dimension : dimensions)
                if (dimension >> 63)
                    throw nb::value_error("a dimension is below 2**63");
            const Order order = without_interpreter(dimensions.size(), [&] { return optimum_order(dimensions); });
            return nb::make_tuple(exact(order.cost), packed(order.sequence));
        },
        "dimensions"_a,
        "Fewest scalar multiplications of a chain with n + 1 dimensions below 2**63, and the inner dimensions in the order "
        "of their contraction as n - 1 native 32-bit integers. Hu and Shing's algorithm, O(n log n).");
    m.def(
        "chain_interval_order",
        [](std::vector<U64> dimensions, std::vector<U64> batches, const std::vector<bool> &gradients) {
            const IntervalProblem problem = problem_of(std::move(dimensions), std::move(batches), gradients);
            const Order order =
                without_interpreter(problem.dimensions.size(), [&] { return interval_order(problem); });
            return nb::make_tuple(exact(order.cost), packed(order.sequence));
        },
        "dimensions"_a, "batches"_a = std::vector<U64>(), "gradients"_a = std::vector<bool>(),
        "The same by dynamic programming, O(n^3): with the batch size of the product of matrices i … j-1 at "
        "batches[i*(n + 1) + j], and with the products of the backward pass where matrices need a gradient.");
    m.def(
        "chain_weighted_order",
        [](std::vector<U64> dimensions, double arithmetic, double moved, std::vector<U64> batches,
           const std::vector<bool> &gradients) {
            const IntervalProblem problem = problem_of(std::move(dimensions), std::move(batches), gradients);
            const WeightedOrder order = without_interpreter(
                problem.dimensions.size(), [&] { return weighted_order(problem, arithmetic, moved); });
            return nb::make_tuple(order.cost, packed(order.sequence));
        },
        "dimensions"_a, "arithmetic"_a, "moved"_a, "batches"_a = std::vector<U64>(),
        "gradients"_a = std::vector<bool>(),
        "The least sum over products of `arithmetic` for each scalar multiplication and `moved` for each element read or "
        "written, in float64.");
    m.def(
        "chain_least_peak",
        [](std::vector<U64> dimensions, std::vector<U64> batches) {
            const IntervalProblem problem = problem_of(std::move(dimensions), std::move(batches), {});
            return exact(without_interpreter(problem.dimensions.size(), [&] { return least_peak(problem); }));
        },
        "dimensions"_a, "batches"_a = std::vector<U64>(),
        "The fewest elements beyond the operands that any order has alive at once, O(n^3).");
    m.def(
        "chain_peak",
        [](std::vector<U64> dimensions, const nb::bytes &sequence, std::vector<U64> batches) {
            const IntervalProblem problem = problem_of(std::move(dimensions), std::move(batches), {});
            const PeakOfOrder found = peak_of_order(problem, unpacked(sequence, problem));
            return nb::make_tuple(exact(found.peak), packed(found.sequence));
        },
        "dimensions"_a, "sequence"_a, "batches"_a = std::vector<U64>(),
        "The elements that one order has alive at once, and its products in the sequence that attains them.");
    m.def(
        "chain_front",
        [](std::vector<U64> dimensions, const nb::object &limit, std::vector<U64> batches,
           const std::vector<bool> &gradients) {
            const IntervalProblem problem = problem_of(std::move(dimensions), std::move(batches), gradients);
            const std::optional<Wide> most = limit_of(limit);
            return listed(without_interpreter(problem.dimensions.size(), [&] { return front(problem, most); }), &exact);
        },
        "dimensions"_a, "limit"_a = nb::none(), "batches"_a = std::vector<U64>(), "gradients"_a = std::vector<bool>(),
        "All trades of elements alive at once against scalar multiplications that no order beats in both.");
    m.def(
        "chain_weighted_front",
        [](std::vector<U64> dimensions, double arithmetic, double moved, const nb::object &limit,
           std::vector<U64> batches, const std::vector<bool> &gradients) {
            const IntervalProblem problem = problem_of(std::move(dimensions), std::move(batches), gradients);
            const std::optional<Wide> most = limit_of(limit);
            return listed(without_interpreter(problem.dimensions.size(),
                                              [&] { return weighted_front(problem, most, arithmetic, moved); }),
                          [](double cost) { return nb::float_(cost); });
        },
        "dimensions"_a, "arithmetic"_a, "moved"_a, "limit"_a = nb::none(), "batches"_a = std::vector<U64>(),
        "gradients"_a = std::vector<bool>(), "The same against a weighted sum, as chain_weighted_order has it.");
}
