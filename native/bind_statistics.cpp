// Statistics for Python: what is an array, when to let other threads run, and what to say when neither is possible.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <string_view>
#include <vector>

#include "bindings.hpp"
#include "dlpack_exchange.hpp"
#include "instruction_sets.hpp"
#include "statistics.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace wellposed;

namespace {

// Fewer elements take less time than letting go of the interpreter and getting it back.
constexpr int64_t elements_worth_a_release = 1 << 14;

std::string name_of_type(nb::handle object) {
    const nb::object type = nb::borrow(reinterpret_cast<PyObject *>(Py_TYPE(object.ptr())));
    return nb::cast<std::string>(type.attr("__module__")) + "." + nb::cast<std::string>(type.attr("__qualname__"));
}

[[noreturn]] void refuse(nb::handle object, const char *reason) {
    throw nb::type_error((name_of_type(object) + " " + reason).c_str());
}

bool is_complex(ElementType type) {
    return type == ElementType::complex32 || type == ElementType::complex64 || type == ElementType::complex128;
}

// PyTorch conjugates and negates by a flag that the memory does not show. The negated are imaginary parts of the
// conjugated, every second number in memory; asking all tensors would cost more than reading the small ones.
nb::object without_lazy_signs(nb::handle array, const TensorView &view) {
    const bool every_second = view.strides && view.dimensions > 0 && view.strides[view.dimensions - 1] != 1;
    nb::object resolved = nb::borrow(array);
    if (is_complex(view.type) && nb::hasattr(array, "resolve_conj"))
        resolved = resolved.attr("resolve_conj")();
    if ((is_complex(view.type) || every_second) && nb::hasattr(array, "resolve_neg"))
        resolved = resolved.attr("resolve_neg")();
    return resolved;
}

// Calls `question(view)` on the memory of `array`.
template <class Question>
auto ask(nb::handle array, Question question) {
    ViewStorage storage;
    if (!view_of(array.ptr(), storage))
        refuse(array, "is not a dense tensor or array that can be read through DLPack or the buffer protocol");
    if (!storage.on_host())
        refuse(array, "lies on another device: move it to the CPU first");
    if (storage.view.type == ElementType::unsupported)
        refuse(array, "has elements of a type that has no statistics");
    const nb::object resolved = without_lazy_signs(array, storage.view);
    if (!resolved.is(array) && !view_of(resolved.ptr(), storage))
        refuse(array, "cannot be read once its lazy conjugation is carried out");
    if (element_count(storage.view) < elements_worth_a_release)
        return question(storage.view);
    const nb::gil_scoped_release release;
    return question(storage.view);
}

std::string representation(const Statistics &s) {
    const auto count = [](int64_t value) { return std::to_string(value); };
    const auto number = [](double value) { return nb::cast<std::string>(nb::repr(nb::float_(value))); };
    return "Statistics(count=" + count(s.count) + ", nan=" + count(s.nan) +
           ", positive_infinity=" + count(s.positive_infinity) + ", negative_infinity=" + count(s.negative_infinity) +
           ", zero=" + count(s.zero) + ", subnormal=" + count(s.subnormal) + ", minimum=" + number(s.minimum) +
           ", maximum=" + number(s.maximum) + ", smallest_nonzero=" + number(s.smallest_nonzero) +
           ", mean=" + number(s.mean) + ", standard_deviation=" + number(s.standard_deviation) +
           ", root_mean_square=" + number(s.root_mean_square) + ")";
}

std::vector<std::string> names_of_available() {
    std::vector<std::string> names;
    for (const Kernels *kernels : available_kernels())
        names.emplace_back(kernels->name);
    return names;
}

void use_instruction_set(std::string_view name) {
    if (use_kernels(name))
        return;
    std::string valid;
    for (const std::string &available : names_of_available())
        valid += (valid.empty() ? "" : ", ") + available;
    const std::string message =
        "this processor has no instruction set '" + std::string(name) + "' to use; it has: " + valid;
    throw nb::value_error(message.c_str());
}

}  // namespace

void bind_statistics(nb::module_ &m) {
    nb::class_<Statistics>(m, "Statistics",
                           "Counts, extremes and moments of a tensor; of its finite elements, except the counts.")
        .def_ro("count", &Statistics::count)
        .def_ro("nan", &Statistics::nan)
        .def_ro("positive_infinity", &Statistics::positive_infinity)
        .def_ro("negative_infinity", &Statistics::negative_infinity)
        .def_ro("zero", &Statistics::zero)
        .def_ro("subnormal", &Statistics::subnormal)
        .def_ro("minimum", &Statistics::minimum)
        .def_ro("maximum", &Statistics::maximum)
        .def_ro("smallest_nonzero", &Statistics::smallest_nonzero)
        .def_ro("mean", &Statistics::mean)
        .def_ro("standard_deviation", &Statistics::standard_deviation)
        .def_ro("root_mean_square", &Statistics::root_mean_square)
        .def("__repr__", &representation);

    m.def(
        "summarise",
        [](nb::handle array, int threads) {
            return ask(array, [=](const TensorView &view) { return summarise(view, threads); });
        },
        "array"_a, "threads"_a = 1, "The statistics of a dense CPU tensor or array, in one pass over its memory.");
    m.def(
        "all_finite",
        [](nb::handle array, int threads) {
            return ask(array, [=](const TensorView &view) { return all_finite(view, threads); });
        },
        "array"_a, "threads"_a = 1, "Whether no element is NaN or infinite; stops at the first that is.");
    m.def(
        "count_outside",
        [](nb::handle array, double low, double high, int threads) {
            return ask(array, [=](const TensorView &view) { return count_outside(view, low, high, threads); });
        },
        "array"_a, "low"_a, "high"_a, "threads"_a = 1, "How many elements lie below `low` or above `high`.");

    m.def("instruction_set", [] { return std::string(kernels_in_use().name); }, "The kernels in use.");
    m.def("instruction_sets", &names_of_available, "The kernels that this processor can run, the best first.");
    m.def("use_instruction_set", &use_instruction_set, "name"_a, "Chooses the kernels, for tests and measurements.");
}
