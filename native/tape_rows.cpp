// The tape's contents as rows for the record's tables.
#include <cmath>
#include <string>

#include <nanobind/stl/string.h>

#include "tape.hpp"

namespace nb = nanobind;

namespace wellposed {

namespace {

const char *dtype_name(ElementType type) {
    static const char *const names[] = {
        "other", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float64",
        "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
        "complex32", "complex64", "complex128",
    };
    return names[static_cast<size_t>(type)];
}

std::string device_name(int32_t type, int32_t id) {
    switch (type) {
        case 1: case 3: case 11: return "cpu";
        case 2: case 10: case 13: return "cuda:" + std::to_string(id);
        case 8: return "mps:" + std::to_string(id);
        case 14: return "xpu:" + std::to_string(id);
        default: return "device" + std::to_string(type) + ":" + std::to_string(id);
    }
}

std::string shape_text(const std::vector<int64_t> &shape) {
    std::string text;
    for (int64_t size : shape) {
        if (!text.empty())
            text += ',';
        text += std::to_string(size);
    }
    return text;
}

nb::object optional(int64_t value, bool known) { return known ? nb::object(nb::int_(value)) : nb::none(); }

nb::object number(double value) { return std::isnan(value) ? nb::none() : nb::object(nb::float_(value)); }

nb::tuple operand_row(int64_t operation, const OperandRow &row) {
    nb::object name = row.is_output ? nb::object(nb::str("out")) : row.name;
    nb::object label = row.label.is_valid() ? row.label : nb::none();
    const std::string shape = shape_text(row.shape);
    const std::string device = device_name(row.device_type, row.device_id);
    const nb::object producer = optional(row.producer, row.producer > 0);
    if (!row.statistics || row.statistics->count < 0) {
        const nb::object none = nb::none();
        return nb::make_tuple(operation, row.is_output ? 1 : 0, row.position, name, shape, dtype_name(row.type), device,
                              producer, label, none, none, none, none, none, none, none, none, none, none, none, none,
                              none);
    }
    const Statistics &s = *row.statistics;
    return nb::make_tuple(operation, row.is_output ? 1 : 0, row.position, name, shape, dtype_name(row.type), device,
                          producer, label, s.count, s.nan, s.positive_infinity, s.negative_infinity, s.zero, s.subnormal,
                          number(s.minimum), number(s.maximum), number(s.smallest_nonzero), number(s.mean),
                          number(s.standard_deviation), number(s.root_mean_square),
                          optional(s.saturated, s.saturated >= 0));
}

}  // namespace

nb::tuple Tape::drain(int64_t step, int64_t call) {
    nb::list operations, operands;
    for (const OperationRow &row : rows_) {
        nb::object arguments = nb::none();
        if (!row.scalars.empty()) {
            nb::dict named;
            for (const auto &[name, value] : row.scalars)
                named[name] = value;
            arguments = named;
        }
        operations.append(nb::make_tuple(row.id, step, call, row.phase, row.operator_id, optional(row.site, row.site >= 0),
                                         optional(row.module, row.module >= 0), row.seconds,
                                         optional(row.forward, row.forward > 0), row.is_view ? 1 : 0,
                                         row.nonfinite_in ? 1 : 0, row.nonfinite_out ? 1 : 0, arguments));
        for (const OperandRow &each : row.operands)
            operands.append(operand_row(row.id, each));
    }
    rows_.clear();
    return nb::make_tuple(operations, operands);
}

}  // namespace wellposed
