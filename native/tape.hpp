// The tape: every operator as it ran, with its tensors and their statistics, in the order of the program.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "dlpack_exchange.hpp"
#include "flow.hpp"

namespace wellposed {

enum class TapeLevel : int { check = 1, full = 2 };

// What `Tape.record` saw, as bits.
enum Trouble : int { made_nan = 1, made_infinity = 2, unread_device = 4 };

// What the Python side says of an operator, once.
struct OperatorInfo {
    int32_t id = 0;                 // 0: computes nothing, and is left out
    bool is_view = false;           // outputs share an input's memory and hold no new values
    bool uninitialised = false;     // outputs are memory as it was found
    uint64_t written = 0;           // bit i: the schema's argument i is written
    bool only_writes = false;       // what lay in the written arguments before makes no difference
    std::vector<nanobind::object> names;  // of the schema's arguments
    bool saturates = false;         // outputs beyond [low, high] lie in a flat part
    double low = 0, high = 0;
    nanobind::object func;          // keeps the key alive
};

struct OperandRow {
    bool is_output = false;
    nanobind::object name;  // the schema's; null for results
    int16_t position = 0;
    ElementType type = ElementType::unsupported;
    int32_t device_type = 0, device_id = 0;
    int64_t producer = 0;
    nanobind::object label;
    std::vector<int64_t> shape;
    std::shared_ptr<const Statistics> statistics;
};

// What can be said of an operation only when the answers to `Unread` have come.
struct Late {
    bool blameless = false;  // whatever it made, it was meant or nobody can tell
    bool nan_in = false, infinity_in = false, nan_out = false, infinity_out = false;  // as far as known at once
    std::vector<std::shared_ptr<const Statistics>> inputs, outputs;
};

struct OperationRow {
    int64_t id = 0;
    int32_t operator_id = 0, site = -1, module = -1;
    int8_t phase = 0;
    bool is_view = false, nonfinite_in = false, nonfinite_out = false;
    double seconds = 0;
    int64_t forward = 0;
    std::unique_ptr<Late> late;  // while its values are still to come
    std::vector<OperandRow> operands;
    std::vector<std::pair<nanobind::object, nanobind::object>> scalars;  // name and value of what is no tensor

    // Whether NaN or infinity was given to it as a number, as in a mask of -inf.
    bool is_on_purpose() const;
};

// A tensor whose memory the processor cannot read: what is to be asked of it where it is.
struct Unread {
    int64_t key = 0;
    nanobind::object tensor;
    bool in_full = false;  // all statistics; else only whether there is a NaN or an infinity
    bool saturates = false;
    double low = 0, high = 0;
};

struct Awaited {
    std::shared_ptr<Statistics> statistics;
    int64_t count = 0;  // of the tensor's elements
};

// A tensor as `record` meets it.
struct Reading {
    ViewStorage storage;
    nanobind::object name;
    uintptr_t begin = 0, end = 0;
    int64_t count = 0;
    bool readable = false;  // its memory may be read by the processor
    bool floating = false;
    bool written = false;
    PyObject *object = nullptr;
    Values values;
    std::shared_ptr<const Statistics> source;  // of the last writer of any part of it

    // Whether it could hold a NaN that only another device can see.
    bool is_elsewhere() const {
        return !readable && floating && storage.view.type != ElementType::unsupported;
    }
};

constexpr int trouble_of(bool nan_in, bool infinity_in, bool nan_out, bool infinity_out) {
    return (nan_out && !nan_in ? made_nan : 0) | (infinity_out && !nan_in && !infinity_in ? made_infinity : 0);
}

class Tape {
  public:
    // Without `host` the processor's own memory is taken for an accelerator's, which lets every path be tried on it.
    Tape(nanobind::object tensor_type, nanobind::object describe, int threads, bool host);
    Tape(const Tape &) = delete;
    Tape &operator=(const Tape &) = delete;

    // Puts an operator that just ran on the tape. `phase` 0, 1, 2: forward, backward, optimizer. `site` and `module`
    // below 0 are taken from the forward operation whose autograd node has the sequence number `forward_node`;
    // `made_sequence` is the number of the node that this operation made (below 0: none).
    int record(nanobind::handle func, nanobind::handle args, nanobind::handle kwargs, nanobind::handle out, int site,
               int module, int phase, double seconds, nanobind::handle forward_node, int64_t made_sequence);

    void set_level(int level) { level_ = static_cast<TapeLevel>(level); }
    void set_threads(int threads) { threads_ = threads; }
    void label(nanobind::handle tensor, nanobind::object name);
    // (operations, operands) as rows for the record's tables; the tape is empty afterwards.
    nanobind::tuple drain(int64_t step, int64_t call);
    void discard() { rows_.clear(); }
    void forget_flow() { flow_.clear(); }
    void forget_memory(uint64_t begin, uint64_t end) { flow_.forget(begin, end); }
    void forget_labels() { labels_.clear(); }

    // What the last `record` could not read, as (key, tensor, in full, low, high); to be taken before the next one.
    nanobind::list take_unread();
    // The answers to a key: all statistics, or what a check tells. Every row and every later operation that met the same values sees it.
    void answer(int64_t key, const Statistics &statistics);
    void answer_check(int64_t key, bool nan, bool positive_infinity, bool negative_infinity);
    // Judges the operations whose values have come since: (operation, operator, site, trouble) of those that made a
    // NaN or an infinity, in order.
    nanobind::list judge_late();

    // The operation that last wrote the tensor's memory; 0 when unknown.
    int64_t producer(nanobind::handle tensor) const;
    // The site of the forward operation that made the autograd node of this sequence number; -1 when unknown.
    int site_of(int64_t sequence) const;
    int64_t last() const { return next_ - 1; }
    int64_t pending() const { return static_cast<int64_t>(rows_.size()); }
    int last_site() const { return rows_.empty() ? -1 : rows_.back().site; }

  private:
    struct Forward {
        int64_t operation;
        int32_t site, module;
    };

    const OperatorInfo &info_of(nanobind::handle func);
    void collect(PyObject *object, nanobind::handle name, bool written, std::vector<Reading> &into, OperationRow *row,
                 int depth);
    bool read(PyObject *object, nanobind::handle name, bool written, std::vector<Reading> &into);
    void measure(Reading &reading, bool with_statistics, const OperatorInfo *info);
    void look_up(Reading &input, bool overwritten, bool is_view);
    int judge(OperationRow &row, const OperatorInfo &info);
    void ask_elsewhere(Reading &reading, bool in_full, const OperatorInfo *info);
    void judge_later(OperationRow &row, const OperatorInfo &info);
    void forget_unread();
    OperandRow operand(const Reading &reading, bool is_output, int position) const;

    nanobind::object tensor_type_, describe_;
    int threads_;
    bool host_;
    TapeLevel level_ = TapeLevel::full;
    int64_t next_ = 1;
    Flow flow_;
    std::deque<OperationRow> rows_;
    std::vector<Reading> inputs_, outputs_;  // of the operator at hand, kept to spare allocations
    std::unordered_map<PyObject *, OperatorInfo> operators_;
    std::unordered_map<uintptr_t, nanobind::object> labels_;
    std::unordered_map<int64_t, Forward> forwards_;
    int64_t next_key_ = 1;
    std::vector<Unread> unread_;  // of the operator at hand
    std::unordered_map<int64_t, Awaited> awaited_;
};

}  // namespace wellposed
