#include "tape.hpp"

#include <cmath>
#include <string>

namespace nb = nanobind;

namespace wellposed {

namespace {

constexpr size_t most_checked_rows = 20'000;   // kept of a stretch that is only checked: enough to tell what led to trouble
constexpr size_t most_listed_operands = 64;    // of one operator that takes lists of tensors
constexpr size_t most_forwards = 400'000;
constexpr int deepest_list = 2;
constexpr int64_t worth_releasing = 65'536;    // elements: below, letting go of the interpreter costs more than it gives
constexpr int phase_optimizer = 2;

bool is_floating(ElementType type) { return type >= ElementType::float64; }

// Whether the operator writes its argument of this name (`out=` of a function).
bool writes(const OperatorInfo &info, PyObject *name) {
    for (size_t i = 0; info.written && i < info.names.size() && i < 64; ++i)
        if ((info.written >> i) & 1 && PyObject_RichCompareBool(info.names[i].ptr(), name, Py_EQ) == 1)
            return true;
    return false;
}

// Of a distributed tensor, `tensor` becomes the part that lies on this rank, which the tensor itself keeps alive.
bool view_of_tensor(PyObject *&tensor, ViewStorage &storage) {
    if (view_of(tensor, storage))
        return true;
    PyObject *local = PyObject_GetAttrString(tensor, "_local_tensor");
    if (!local) {
        PyErr_Clear();
        return false;
    }
    Py_DECREF(local);
    tensor = local;
    return view_of(local, storage);
}

}  // namespace

Tape::Tape(nb::object tensor_type, nb::object describe, int threads, bool host)
    : tensor_type_(std::move(tensor_type)), describe_(std::move(describe)), threads_(threads), host_(host) {}

const OperatorInfo &Tape::info_of(nb::handle func) {
    auto found = operators_.find(func.ptr());
    if (found != operators_.end())
        return found->second;
    nb::tuple said = nb::cast<nb::tuple>(describe_(func));
    OperatorInfo info;
    info.id = nb::cast<int32_t>(said[0]);
    info.is_view = nb::cast<bool>(said[1]);
    info.uninitialised = nb::cast<bool>(said[2]);
    for (nb::handle name : nb::cast<nb::tuple>(said[3]))
        info.names.push_back(nb::borrow(name));
    for (nb::handle index : nb::cast<nb::tuple>(said[4]))
        info.written |= uint64_t{1} << nb::cast<int>(index);
    if (!said[5].is_none()) {
        nb::tuple range = nb::cast<nb::tuple>(said[5]);
        info.saturates = true;
        info.low = nb::cast<double>(range[0]);
        info.high = nb::cast<double>(range[1]);
    }
    info.only_writes = nb::cast<bool>(said[6]);
    info.func = nb::borrow(func);
    return operators_.emplace(func.ptr(), std::move(info)).first->second;
}

bool Tape::read(PyObject *object, nb::handle name, bool written, std::vector<Reading> &into) {
    if (!PyType_IsSubtype(Py_TYPE(object), reinterpret_cast<PyTypeObject *>(tensor_type_.ptr())))
        return false;
    Reading reading;
    if (!view_of_tensor(object, reading.storage))
        return true;  // a tensor without memory: nothing to say of it
    const TensorView &view = reading.storage.view;
    reading.name = nb::borrow(name);
    reading.written = written;
    reading.floating = is_floating(view.type);
    reading.count = 1;
    int64_t last = 0;
    for (int i = 0; i < view.dimensions; ++i) {
        reading.count *= view.shape[i];
        if (view.strides)
            last += (view.shape[i] - 1) * view.strides[i];
    }
    if (!view.strides)
        last = reading.count - 1;
    reading.begin = reinterpret_cast<uintptr_t>(view.data);
    reading.end = reading.count > 0 ? reading.begin + static_cast<uintptr_t>((last + 1) * element_bytes(view.type)) : reading.begin;
    reading.object = object;
    reading.readable = host_ && reading.storage.on_host() && view.type != ElementType::unsupported;
    into.push_back(std::move(reading));
    return true;
}

void Tape::collect(PyObject *object, nb::handle name, bool written, std::vector<Reading> &into, OperationRow *row,
                   int depth) {
    if (object == Py_None || read(object, name, written, into))
        return;
    const bool is_list = PyList_Check(object), is_tuple = PyTuple_Check(object);
    if ((is_list || is_tuple) && depth < deepest_list) {
        const Py_ssize_t size = is_list ? PyList_Size(object) : PyTuple_Size(object);
        const size_t before = into.size();
        bool tensors = size > 0;
        for (Py_ssize_t i = 0; i < size && tensors; ++i) {
            PyObject *item = is_list ? PyList_GetItem(object, i) : PyTuple_GetItem(object, i);
            const size_t seen = into.size();
            collect(item, name, written, into, nullptr, depth + 1);
            tensors = into.size() > seen || item == Py_None ||
                      PyType_IsSubtype(Py_TYPE(item), reinterpret_cast<PyTypeObject *>(tensor_type_.ptr()));
        }
        if (tensors || into.size() > before)
            return;
    }
    if (row)
        row->scalars.emplace_back(nb::borrow(name), nb::borrow(object));
}

void Tape::measure(Reading &reading, bool with_statistics, const OperatorInfo *info) {
    if (!reading.readable) {
        ask_elsewhere(reading, with_statistics, info);
        return;
    }
    const TensorView &view = reading.storage.view;
    auto work = [&] {
        if (!with_statistics) {
            if (!reading.floating || all_finite(view, threads_))
                return;
        }
        auto statistics = std::make_shared<Statistics>(summarise(view, threads_));
        reading.values.has_nan = statistics->nan > 0;
        reading.values.has_infinity = statistics->positive_infinity + statistics->negative_infinity > 0;
        if (info && info->saturates && reading.floating)
            statistics->saturated = count_outside(view, info->low, info->high, threads_);
        reading.values.statistics = std::move(statistics);
    };
    if (reading.count >= worth_releasing) {
        nb::gil_scoped_release release;
        work();
    } else {
        work();
    }
}

void Tape::look_up(Reading &input, bool overwritten, bool is_view) {
    if (const Values *known = flow_.read(input.begin, input.end)) {
        const Values *exact = flow_.exactly(input.begin, input.end);
        input.values.operation = known->operation;
        input.values.has_nan = known->has_nan;
        input.values.has_infinity = known->has_infinity;
        input.values.unseen = known->unseen;
        input.source = known->statistics;
        if (exact && exact->count == input.count && exact->type == input.storage.view.type) {
            input.values.statistics = exact->statistics;
        }
    }
    // What lies elsewhere cannot be read once an output turns out bad: it is asked now whether it was bad itself.
    const bool wanted = level_ == TapeLevel::full || (input.is_elsewhere() && !input.source);
    if (!wanted || input.values.statistics || overwritten || is_view)
        return;
    const int64_t writer = input.values.operation;
    measure(input, level_ == TapeLevel::full, nullptr);
    if (!writer && input.values.statistics) {
        // Parameters and data are read again and again: remember them for as long as nobody writes there.
        input.values.count = input.count;
        input.values.type = input.storage.view.type;
        flow_.write(input.begin, input.end, input.values);
    }
}

// Decides whether this operator made a NaN or an infinity that its inputs did not hold.
int Tape::judge(OperationRow &row, const OperatorInfo &info) {
    bool out_nan = false, out_infinity = false;
    for (const Reading &output : outputs_) {
        out_nan |= output.values.has_nan;
        out_infinity |= output.values.has_infinity;
    }
    row.nonfinite_out = out_nan || out_infinity;
    bool in_nan = false, in_infinity = false;
    for (Reading &input : inputs_) {
        if (input.written && info.only_writes)
            continue;
        bool overwritten = false;
        for (const Reading &output : outputs_)
            overwritten |= output.begin < input.end && input.begin < output.end;
        if (row.nonfinite_out && !input.values.statistics && !overwritten)
            measure(input, true, nullptr);
        if (overwritten && !input.values.statistics && (input.values.unseen || !input.values.operation))
            return 0;  // written in place over values that nobody saw: nothing can be said
        in_nan |= input.values.has_nan;
        in_infinity |= input.values.has_infinity;
    }
    row.nonfinite_in = in_nan || in_infinity;
    if (!row.nonfinite_out || info.uninitialised)
        return 0;
    return row.is_on_purpose() ? 0 : trouble_of(in_nan, in_infinity, out_nan, out_infinity);
}

int Tape::record(nb::handle func, nb::handle args, nb::handle kwargs, nb::handle out, int site, int module, int phase,
                 double seconds, nb::handle forward_node, int64_t made_sequence) {
    const OperatorInfo &info = info_of(func);
    if (info.id == 0)
        return 0;
    OperationRow row;
    row.id = next_++;
    row.operator_id = info.id;
    row.phase = static_cast<int8_t>(phase);
    row.seconds = seconds;
    row.site = site;
    row.module = module;
    row.is_view = info.is_view;
    // Nodes that differentiate nothing (AccumulateGrad) have the largest 64-bit number, which becomes -1.
    const auto forward_sequence = static_cast<int64_t>(PyLong_AsUnsignedLongLongMask(forward_node.ptr()));
    if (forward_sequence >= 0) {
        auto forward = forwards_.find(forward_sequence);
        if (forward != forwards_.end()) {
            row.forward = forward->second.operation;
            if (site < 0)
                row.site = forward->second.site;
            if (module < 0)
                row.module = forward->second.module;
        }
    }
    if (made_sequence >= 0) {
        if (forwards_.size() > most_forwards)
            forwards_.clear();
        forwards_.try_emplace(made_sequence, Forward{row.id, row.site, row.module});
    }

    inputs_.clear();
    outputs_.clear();
    forget_unread();
    const Py_ssize_t positional = PyTuple_Size(args.ptr());
    const nb::object unnamed = nb::none();
    for (Py_ssize_t i = 0; i < positional; ++i) {
        const size_t index = static_cast<size_t>(i);
        nb::handle name = index < info.names.size() ? nb::handle(info.names[index]) : nb::handle(unnamed);
        collect(PyTuple_GetItem(args.ptr(), i), name, (info.written >> (i & 63)) & 1, inputs_, &row, 0);
    }
    if (kwargs.is_valid() && !kwargs.is_none()) {
        PyObject *key = nullptr, *value = nullptr;
        Py_ssize_t at = 0;
        while (PyDict_Next(kwargs.ptr(), &at, &key, &value))
            collect(value, nb::handle(key), writes(info, key), inputs_, &row, 0);
    }
    collect(out.ptr(), unnamed, false, outputs_, nullptr, 0);
    for (const Reading &input : inputs_) {
        if (!input.written)
            continue;
        bool returned = false;
        for (const Reading &output : outputs_)
            returned |= output.begin == input.begin && output.end == input.end;
        if (!returned)
            outputs_.push_back(input);
    }

    // A result that lies in an input's memory and was not written there is a view, whatever the schema says.
    bool shares = !outputs_.empty();
    for (const Reading &output : outputs_) {
        bool within = false;
        for (const Reading &input : inputs_)
            within |= !input.written && input.begin <= output.begin && output.end <= input.end && output.begin < output.end;
        shares &= within;
    }
    row.is_view |= shares;
    const bool many = inputs_.size() > 8 && phase == phase_optimizer;
    const bool measured = !row.is_view && !info.uninitialised;

    for (Reading &input : inputs_) {
        bool overwritten = false;
        for (const Reading &output : outputs_)
            overwritten |= output.begin < input.end && input.begin < output.end;
        look_up(input, overwritten || many, row.is_view);
    }
    for (Reading &output : outputs_) {
        output.values = Values{};
        if (measured)
            measure(output, level_ == TapeLevel::full && !many, &info);
        if (!row.is_view) {
            output.values.operation = row.id;
            output.values.count = output.count;
            output.values.type = output.storage.view.type;
            output.values.unseen = info.uninitialised;
            flow_.write(output.begin, output.end, output.values);
        }
    }
    bool elsewhere = false;
    for (const std::vector<Reading> *readings : {&inputs_, &outputs_})
        for (const Reading &reading : *readings)
            elsewhere |= reading.is_elsewhere();
    int trouble = 0;
    if (measured && elsewhere)
        judge_later(row, info);
    else if (measured)
        trouble = judge(row, info);
    if (trouble && level_ == TapeLevel::check) {
        for (Reading &output : outputs_)
            if (!output.values.statistics)
                measure(output, true, &info);
    }
    if (!unread_.empty())
        trouble |= unread_device;

    int position = 0;
    for (const Reading &input : inputs_)
        if (static_cast<size_t>(position) < most_listed_operands || input.values.has_nan || input.values.has_infinity)
            row.operands.push_back(operand(input, false, position++));
    position = 0;
    for (const Reading &output : outputs_)
        if (static_cast<size_t>(position) < most_listed_operands || output.values.has_nan || output.values.has_infinity)
            row.operands.push_back(operand(output, true, position++));
    inputs_.clear();
    outputs_.clear();
    rows_.push_back(std::move(row));
    if (level_ == TapeLevel::check && rows_.size() > most_checked_rows)
        rows_.pop_front();
    return trouble;
}

void Tape::label(nb::handle tensor, nb::object name) {
    ViewStorage storage;
    PyObject *object = tensor.ptr();
    if (view_of_tensor(object, storage) && storage.view.data)
        labels_[reinterpret_cast<uintptr_t>(storage.view.data)] = std::move(name);
}

int64_t Tape::producer(nb::handle tensor) const {
    ViewStorage storage;
    PyObject *object = tensor.ptr();
    if (!view_of_tensor(object, storage) || !storage.view.data)
        return 0;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(storage.view.data);
    const Values *known = flow_.read(begin, begin + 1);
    return known ? known->operation : 0;
}

int Tape::site_of(int64_t sequence) const {
    auto forward = forwards_.find(sequence);
    return forward != forwards_.end() ? forward->second.site : -1;
}

OperandRow Tape::operand(const Reading &reading, bool is_output, int position) const {
    OperandRow row;
    const TensorView &view = reading.storage.view;
    row.is_output = is_output;
    row.position = static_cast<int16_t>(position);
    if (!is_output)
        row.name = reading.name;
    row.type = view.type;
    row.device_type = reading.storage.device_type;
    row.device_id = reading.storage.device_id;
    row.producer = is_output ? 0 : reading.values.operation;
    row.statistics = reading.values.statistics;
    row.shape.assign(view.shape, view.shape + view.dimensions);
    auto label = labels_.find(reading.begin);
    if (label != labels_.end())
        row.label = label->second;
    return row;
}

}  // namespace wellposed
