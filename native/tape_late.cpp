// What the tape learns only later: values that lie on an accelerator, and who made a NaN among them.
#include <cmath>
#include <limits>

#include "tape.hpp"

namespace nb = nanobind;

namespace wellposed {

namespace {

constexpr int64_t not_known = -1;  // as a count: the record then says nothing of the values

bool has_infinity(const Statistics &statistics) {
    return statistics.positive_infinity + statistics.negative_infinity > 0;
}

}  // namespace

bool OperationRow::is_on_purpose() const {
    for (const auto &[name, value] : scalars)
        if (PyFloat_CheckExact(value.ptr()) && !std::isfinite(PyFloat_AsDouble(value.ptr())))
            return true;
    return false;
}

// The statistics are made now and filled by `answer`: rows and the data flow share them, so that whoever meets the same
// values until then learns of them at the same moment.
void Tape::ask_elsewhere(Reading &reading, bool in_full, const OperatorInfo *info) {
    const bool worthwhile = in_full || (reading.floating && reading.count > 0);
    if (reading.storage.view.type == ElementType::unsupported || !worthwhile)
        return;
    auto statistics = std::make_shared<Statistics>();
    statistics->count = not_known;
    Unread unread{next_key_++, nb::borrow(reading.object), in_full};
    if (in_full && info && info->saturates && reading.floating) {
        unread.saturates = true;
        unread.low = info->low;
        unread.high = info->high;
    }
    awaited_.emplace(unread.key, Awaited{statistics, reading.count});
    unread_.push_back(std::move(unread));
    reading.values.statistics = std::move(statistics);
}

nb::list Tape::take_unread() {
    nb::list taken;
    for (const Unread &each : unread_) {
        const nb::object low = each.saturates ? nb::object(nb::float_(each.low)) : nb::none();
        const nb::object high = each.saturates ? nb::object(nb::float_(each.high)) : nb::none();
        taken.append(nb::make_tuple(each.key, each.tensor, each.in_full, low, high));
    }
    unread_.clear();
    return taken;
}

void Tape::forget_unread() {
    for (const Unread &each : unread_)
        awaited_.erase(each.key);
    unread_.clear();
}

void Tape::answer(int64_t key, const Statistics &statistics) {
    if (auto found = awaited_.extract(key))
        *found.mapped().statistics = statistics;
}

// A check does not count: of what is bad the record says that there is one, and nothing of the rest.
void Tape::answer_check(int64_t key, bool nan, bool positive_infinity, bool negative_infinity) {
    auto found = awaited_.extract(key);
    if (!found || !(nan || positive_infinity || negative_infinity))
        return;
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    *found.mapped().statistics = {found.mapped().count, nan, positive_infinity, negative_infinity, 0, 0, unknown,
                                  unknown, unknown, unknown, unknown, unknown, -1};
}

void Tape::judge_later(OperationRow &row, const OperatorInfo &info) {
    auto late = std::make_unique<Late>();
    late->blameless = row.is_on_purpose();
    for (const Reading &output : outputs_) {
        late->nan_out |= output.values.has_nan;
        late->infinity_out |= output.values.has_infinity;
        if (output.values.statistics)
            late->outputs.push_back(output.values.statistics);
    }
    for (Reading &input : inputs_) {
        if (input.written && info.only_writes)
            continue;
        bool overwritten = false;
        for (const Reading &output : outputs_)
            overwritten |= output.begin < input.end && input.begin < output.end;
        if (overwritten && !input.values.statistics && (input.values.unseen || !input.values.operation))
            late->blameless = true;  // written in place over values that nobody saw: nothing can be said
        if (input.readable && input.floating && !input.values.statistics && !overwritten)
            measure(input, false, nullptr);
        late->nan_in |= input.values.has_nan;
        late->infinity_in |= input.values.has_infinity;
        if (const auto &known = input.values.statistics ? input.values.statistics : input.source)
            late->inputs.push_back(known);
    }
    row.nonfinite_in = late->nan_in || late->infinity_in;
    row.nonfinite_out = late->nan_out || late->infinity_out;
    row.late = std::move(late);
}

nb::list Tape::judge_late() {
    nb::list found;
    for (OperationRow &row : rows_) {
        if (!row.late)
            continue;
        const auto late = std::move(row.late);
        for (const auto &input : late->inputs) {
            late->nan_in |= input->nan > 0;
            late->infinity_in |= has_infinity(*input);
        }
        for (const auto &output : late->outputs) {
            late->nan_out |= output->nan > 0;
            late->infinity_out |= has_infinity(*output);
        }
        row.nonfinite_in = late->nan_in || late->infinity_in;
        row.nonfinite_out = late->nan_out || late->infinity_out;
        const int trouble = trouble_of(late->nan_in, late->infinity_in, late->nan_out, late->infinity_out);
        if (trouble && !late->blameless)
            found.append(nb::make_tuple(row.id, row.operator_id, row.site, trouble));
    }
    return found;
}

}  // namespace wellposed
