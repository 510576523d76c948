// What the instrumented source of a NumPy program calls in place of an operator. Each method does exactly what the
// operator would do, on the same objects and without a Python frame of its own: warnings, tracebacks and `sys._getframe`
// see the program's line. Afterwards it tells the recorder, where an array, a NumPy scalar or a followed float took part.
#include <nanobind/nanobind.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "bindings.hpp"
#include "dlpack_exchange.hpp"
#include "statistics.hpp"

namespace nb = nanobind;

namespace {

enum Mode : int { plain = 0, cheap = 1, recording = 2 };

constexpr size_t most_cached_types = 500;
constexpr int64_t most_checked_elements = 100'000;  // of an array, between the stretches that are recorded

struct State {
    int mode = plain;
    bool busy = false;
    unsigned long thread = 0;
    PyTypeObject *array_type = nullptr, *scalar_type = nullptr;
    PyObject *before = nullptr, *record = nullptr, *trouble = nullptr, *boundary = nullptr, *value = nullptr;
    std::unordered_map<PyTypeObject *, bool> types;  // each kept alive
    std::unordered_set<PyObject *> floats;           // each kept alive by the recorder
    std::vector<int64_t> loops;                      // that are running, the outermost first
    int64_t step = 0, call = 0, wake_step = 0, wake_call = 0;
    bool began = false;  // whether any loop has
};

State state;

bool of_numpy(PyTypeObject *type) {
    auto found = state.types.find(type);
    if (found != state.types.end())
        return found->second;
    const bool answer = PyType_IsSubtype(type, state.array_type) || PyType_IsSubtype(type, state.scalar_type);
    if (state.types.size() < most_cached_types) {
        Py_INCREF(reinterpret_cast<PyObject *>(type));
        state.types.emplace(type, answer);
    }
    return answer;
}

bool takes_part(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    if (type == state.array_type)
        return true;
    if (type == &PyFloat_Type)
        return !state.floats.empty() && state.floats.count(object) > 0;
    if (type == &PyLong_Type || type == &PyUnicode_Type || type == &PyBool_Type || object == Py_None)
        return false;
    if (type == &PyTuple_Type || type == &PyList_Type) {
        // The first few tell: a list of arrays for stack and concatenate, a pair of results.
        const bool tuple = type == &PyTuple_Type;
        const Py_ssize_t size = tuple ? PyTuple_Size(object) : PyList_Size(object);
        for (Py_ssize_t i = 0; i < size && i < 3; ++i)
            if (PyObject *item = tuple ? PyTuple_GetItem(object, i) : PyList_GetItem(object, i);
                item && (Py_TYPE(item) == state.array_type || of_numpy(Py_TYPE(item))))
                return true;
        return false;
    }
    return of_numpy(type);
}

bool watching() {
    return state.mode != plain && !state.busy && PyThread_get_thread_ident() == state.thread;
}

class Busy {
  public:
    Busy() { state.busy = true; }
    ~Busy() { state.busy = false; }
};

bool scalar_is_bad(PyObject *object) { return PyFloat_Check(object) && !std::isfinite(PyFloat_AsDouble(object)); }

// Whether a NaN or an infinity is in it, as far as that can be told in no time.
bool is_bad(PyObject *object) {
    if (PyFloat_Check(object))
        return scalar_is_bad(object);
    if (!of_numpy(Py_TYPE(object)))
        return false;
    wellposed::ViewStorage storage;
    if (!wellposed::view_of(object, storage) || !storage.on_host() ||
        storage.view.type == wellposed::ElementType::unsupported ||
        storage.view.type < wellposed::ElementType::float64 || element_count(storage.view) > most_checked_elements)
        return false;
    return !wellposed::all_finite(storage.view, 1);
}

using Clock = std::chrono::steady_clock;

struct Attempt {
    bool wanted = false;
    Clock::time_point began{};
    PyObject *token = nullptr;
};

// Before an operation: whether it may be told, and what an observer made of its arguments.
bool begin(const char *what, PyObject *const *args, Py_ssize_t count, PyObject *kwargs, Attempt &attempt) {
    if (!watching())
        return true;
    for (Py_ssize_t i = 0; i < count && !attempt.wanted; ++i)
        attempt.wanted = takes_part(args[i]);
    attempt.began = Clock::now();
    if (!attempt.wanted || !state.before || state.mode != recording)
        return true;
    PyObject *packed = PyTuple_New(count);
    if (!packed)
        return false;
    for (Py_ssize_t i = 0; i < count; ++i)
        PyTuple_SetItem(packed, i, Py_NewRef(args[i]));
    const Busy busy;
    attempt.token = PyObject_CallFunction(state.before, "sOO", what, packed, kwargs ? kwargs : Py_None);
    Py_DECREF(packed);
    attempt.began = Clock::now();
    return attempt.token != nullptr;
}

// After it. Takes over `result`; gives it back, or null where the recorder was interrupted.
PyObject *end(const char *what, PyObject *const *args, Py_ssize_t count, PyObject *kwargs, PyObject *result,
              Attempt &attempt) {
    if (!result || state.mode == plain) {
        Py_XDECREF(attempt.token);
        return result;
    }
    if (!attempt.wanted && !(watching() && takes_part(result)))
        return result;
    if (state.mode == cheap && !is_bad(result))
        return result;
    const double seconds = std::chrono::duration<double>(Clock::now() - attempt.began).count();
    PyObject *packed = PyTuple_New(count);
    for (Py_ssize_t i = 0; packed && i < count; ++i)
        PyTuple_SetItem(packed, i, Py_NewRef(args[i]));
    PyObject *told = nullptr;
    if (packed) {
        const Busy busy;
        told = PyObject_CallFunction(state.mode == cheap ? state.trouble : state.record, "sOOOOd", what, packed,
                                     kwargs ? kwargs : Py_None, result, attempt.token ? attempt.token : Py_None,
                                     seconds);
        Py_DECREF(packed);
    }
    Py_XDECREF(attempt.token);
    if (!told) {
        Py_DECREF(result);
        return nullptr;
    }
    Py_DECREF(told);
    return result;
}

bool expects(const char *name, Py_ssize_t given, Py_ssize_t wanted) {
    if (given == wanted)
        return true;
    PyErr_Format(PyExc_TypeError, "%s expects %zd arguments", name, wanted);
    return false;
}

using Binary = PyObject *(*)(PyObject *, PyObject *);
using Unary = PyObject *(*)(PyObject *);

PyObject *power(PyObject *base, PyObject *exponent) { return PyNumber_Power(base, exponent, Py_None); }
PyObject *power_in_place(PyObject *base, PyObject *exponent) { return PyNumber_InPlacePower(base, exponent, Py_None); }
template <int op> PyObject *compare(PyObject *left, PyObject *right) { return PyObject_RichCompare(left, right, op); }

constexpr char text_add[] = "add", text_sub[] = "sub", text_mul[] = "mul", text_div[] = "div", text_floordiv[] = "floordiv",
               text_mod[] = "mod", text_pow[] = "pow", text_matmul[] = "matmul", text_and[] = "and", text_or[] = "or",
               text_xor[] = "xor", text_iadd[] = "iadd", text_isub[] = "isub", text_imul[] = "imul", text_idiv[] = "idiv",
               text_ifloordiv[] = "ifloordiv", text_imod[] = "imod", text_ipow[] = "ipow", text_imatmul[] = "imatmul",
               text_eq[] = "eq", text_ne[] = "ne", text_lt[] = "lt", text_le[] = "le", text_gt[] = "gt", text_ge[] = "ge",
               text_neg[] = "neg", text_abs[] = "abs", text_invert[] = "invert", text_getitem[] = "getitem";

template <Binary operation, const char *name> PyObject *binary(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects(name, count, 2))
        return nullptr;
    if (state.mode == plain)
        return operation(args[0], args[1]);
    Attempt attempt;
    if (!begin(name, args, 2, nullptr, attempt))
        return nullptr;
    return end(name, args, 2, nullptr, operation(args[0], args[1]), attempt);
}

template <Unary operation, const char *name> PyObject *unary(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects(name, count, 1))
        return nullptr;
    Attempt attempt;
    if (!begin(name, args, 1, nullptr, attempt))
        return nullptr;
    return end(name, args, 1, nullptr, operation(args[0]), attempt);
}

// `container[index]`, of arrays; everything else is none of ours.
PyObject *get_item(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("getitem", count, 2))
        return nullptr;
    if (state.mode == plain || !(Py_TYPE(args[0]) == state.array_type || of_numpy(Py_TYPE(args[0]))))
        return PyObject_GetItem(args[0], args[1]);
    Attempt attempt;
    if (!begin("getitem", args, 2, nullptr, attempt))
        return nullptr;
    return end("getitem", args, 2, nullptr, PyObject_GetItem(args[0], args[1]), attempt);
}

bool store(PyObject *value, PyObject *container, PyObject *index) {
    if (state.mode == plain || state.array_type != Py_TYPE(container))
        return PyObject_SetItem(container, index, value) == 0;
    PyObject *const args[] = {container, index, value};
    Attempt attempt;
    if (!begin("setitem", args, 3, nullptr, attempt))
        return false;
    if (PyObject_SetItem(container, index, value) != 0) {
        Py_XDECREF(attempt.token);
        return false;
    }
    PyObject *told = end("setitem", args, 3, nullptr, Py_NewRef(container), attempt);
    Py_XDECREF(told);
    return told != nullptr;
}

// `container[index] = value`, in the order of evaluation: value, container, index.
PyObject *set_item(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("setitem", count, 3) || !store(args[0], args[1], args[2]))
        return nullptr;
    Py_RETURN_NONE;
}

// `container[index] op= value` in three parts, for each to stand at its own place in the source.
PyObject *at(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("at", count, 2))
        return nullptr;
    PyObject *const both[] = {args[0], args[1]};
    PyObject *item = get_item(nullptr, both, 2);
    if (!item)
        return nullptr;
    PyObject *place = PyTuple_New(3);
    if (!place) {
        Py_DECREF(item);
        return nullptr;
    }
    PyTuple_SetItem(place, 0, Py_NewRef(args[0]));
    PyTuple_SetItem(place, 1, Py_NewRef(args[1]));
    PyTuple_SetItem(place, 2, item);
    return place;
}

template <Binary operation, const char *name> PyObject *binary_at(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects(name, count, 2))
        return nullptr;
    PyObject *const both[] = {PyTuple_GetItem(args[0], 2), args[1]};
    PyObject *made = binary<operation, name>(nullptr, both, 2);
    if (!made)
        return nullptr;
    PyObject *place = PyTuple_New(3);
    if (!place) {
        Py_DECREF(made);
        return nullptr;
    }
    PyTuple_SetItem(place, 0, Py_NewRef(PyTuple_GetItem(args[0], 0)));
    PyTuple_SetItem(place, 1, Py_NewRef(PyTuple_GetItem(args[0], 1)));
    PyTuple_SetItem(place, 2, made);
    return place;
}

PyObject *put(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("put", count, 1) ||
        !store(PyTuple_GetItem(args[0], 2), PyTuple_GetItem(args[0], 0), PyTuple_GetItem(args[0], 1)))
        return nullptr;
    Py_RETURN_NONE;
}

// `x.T`
PyObject *transposed(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("T", count, 1))
        return nullptr;
    Attempt attempt;
    if (!begin("T", args, 1, nullptr, attempt))
        return nullptr;
    return end("T", args, 1, nullptr, PyObject_GetAttrString(args[0], "T"), attempt);
}

PyObject *slice(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("slice", count, 3))
        return nullptr;
    return PySlice_New(args[0], args[1], args[2]);
}

// `function(*arguments, **keywords)`, the function first among the arguments.
PyObject *call(PyObject *, PyObject *args, PyObject *kwargs) {
    const Py_ssize_t count = PyTuple_Size(args);
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "call expects a function");
        return nullptr;
    }
    PyObject *function = PyTuple_GetItem(args, 0);
    PyObject *rest = PyTuple_GetSlice(args, 1, count);
    if (!rest)
        return nullptr;
    PyObject *result = nullptr;
    if (state.mode == plain) {
        result = PyObject_Call(function, rest, kwargs);
        Py_DECREF(rest);
        return result;
    }
    std::vector<PyObject *> all;
    for (Py_ssize_t i = 0; i < count; ++i)
        all.push_back(PyTuple_GetItem(args, i));
    Attempt attempt;
    bool keyword = false;
    if (kwargs && watching()) {
        PyObject *key = nullptr, *given = nullptr;
        Py_ssize_t position = 0;
        while (!keyword && PyDict_Next(kwargs, &position, &key, &given))
            keyword = takes_part(given);
    }
    if (watching() && !keyword) {
        // A method of an array: the array is no argument.
        PyObject *self = PyCFunction_Check(function) ? PyCFunction_GetSelf(function) : nullptr;
        keyword = self && takes_part(self);
    }
    attempt.wanted = keyword;
    if (begin("call", all.data(), count, kwargs, attempt)) {
        result = PyObject_Call(function, rest, kwargs);
        result = end("call", all.data(), count, kwargs, result, attempt);
    }
    Py_DECREF(rest);
    return result;
}

// Tells of a value that is assigned to a name which reads like a loss, or of an update of a variable.
PyObject *named(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("named", count, 3))
        return nullptr;
    if (state.mode != plain && watching() && state.value) {
        const Busy busy;
        PyObject *told = PyObject_CallFunctionObjArgs(state.value, args[0], args[1], args[2], nullptr);
        if (!told)
            return nullptr;
        Py_DECREF(told);
    }
    return Py_NewRef(args[2]);
}

bool tell(const char *what) {
    if (!state.boundary || state.busy)
        return true;
    const Busy busy;
    PyObject *told = PyObject_CallFunction(state.boundary, "sLL", what, static_cast<long long>(state.step),
                                           static_cast<long long>(state.call));
    Py_XDECREF(told);
    return told != nullptr;
}

PyObject *loop_begins(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("begin", count, 1))
        return nullptr;
    if (state.mode != plain && PyThread_get_thread_ident() == state.thread)
        state.loops.push_back(PyLong_AsLongLong(args[0]));
    Py_RETURN_NONE;
}

PyObject *iteration(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("iteration", count, 1))
        return nullptr;
    if (state.mode == plain || state.loops.empty() || PyThread_get_thread_ident() != state.thread)
        Py_RETURN_NONE;
    const int64_t loop = PyLong_AsLongLong(args[0]);
    bool outermost = state.loops.front() == loop;
    for (size_t i = 1; outermost && i < state.loops.size(); ++i)
        outermost = state.loops[i] != loop;  // a recursion's own
    if (!outermost) {
        if (++state.call >= state.wake_call && !tell("call"))
            return nullptr;
    } else if (!state.began) {
        state.began = true;  // what came before the first loop belongs to its first iteration
    } else {
        ++state.step;
        state.call = 0;
        if (state.step >= state.wake_step && !tell("step"))
            return nullptr;
    }
    Py_RETURN_NONE;
}

PyObject *loop_ends(PyObject *, PyObject *const *args, Py_ssize_t count) {
    if (!expects("end", count, 1))
        return nullptr;
    if (state.loops.empty() || PyThread_get_thread_ident() != state.thread)
        Py_RETURN_NONE;
    const int64_t loop = PyLong_AsLongLong(args[0]);
    for (size_t i = state.loops.size(); i-- > 0;)
        if (state.loops[i] == loop) {
            state.loops.erase(state.loops.begin() + static_cast<std::ptrdiff_t>(i));
            break;
        }
    if (state.mode != plain && state.loops.size() < 2) {
        ++state.call;
        if (!tell(state.loops.empty() ? "after" : "rest"))
            return nullptr;
    }
    Py_RETURN_NONE;
}

PyObject *reduce(PyObject *, PyObject *) { return PyUnicode_FromString("instrument"); }

template <class Function> PyCFunction untyped(Function function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

#define OPERATOR(name, text, operation) {name, untyped(&binary<operation, text>), METH_FASTCALL, nullptr}
#define OPERATOR_AT(name, text, operation) {name, untyped(&binary_at<operation, text>), METH_FASTCALL, nullptr}
#define PLACED(name, function) {name, untyped(&function), METH_FASTCALL, nullptr}

PyMethodDef methods[] = {
    OPERATOR("add", text_add, PyNumber_Add),
    OPERATOR("sub", text_sub, PyNumber_Subtract),
    OPERATOR("mul", text_mul, PyNumber_Multiply),
    OPERATOR("div", text_div, PyNumber_TrueDivide),
    OPERATOR("floordiv", text_floordiv, PyNumber_FloorDivide),
    OPERATOR("mod", text_mod, PyNumber_Remainder),
    OPERATOR("pow", text_pow, power),
    OPERATOR("matmul", text_matmul, PyNumber_MatrixMultiply),
    OPERATOR("and_", text_and, PyNumber_And),
    OPERATOR("or_", text_or, PyNumber_Or),
    OPERATOR("xor", text_xor, PyNumber_Xor),
    OPERATOR("iadd", text_iadd, PyNumber_InPlaceAdd),
    OPERATOR("isub", text_isub, PyNumber_InPlaceSubtract),
    OPERATOR("imul", text_imul, PyNumber_InPlaceMultiply),
    OPERATOR("idiv", text_idiv, PyNumber_InPlaceTrueDivide),
    OPERATOR("ifloordiv", text_ifloordiv, PyNumber_InPlaceFloorDivide),
    OPERATOR("imod", text_imod, PyNumber_InPlaceRemainder),
    OPERATOR("ipow", text_ipow, power_in_place),
    OPERATOR("imatmul", text_imatmul, PyNumber_InPlaceMatrixMultiply),
    OPERATOR_AT("iadd_at", text_iadd, PyNumber_InPlaceAdd),
    OPERATOR_AT("isub_at", text_isub, PyNumber_InPlaceSubtract),
    OPERATOR_AT("imul_at", text_imul, PyNumber_InPlaceMultiply),
    OPERATOR_AT("idiv_at", text_idiv, PyNumber_InPlaceTrueDivide),
    OPERATOR_AT("ifloordiv_at", text_ifloordiv, PyNumber_InPlaceFloorDivide),
    OPERATOR_AT("imod_at", text_imod, PyNumber_InPlaceRemainder),
    OPERATOR_AT("ipow_at", text_ipow, power_in_place),
    OPERATOR_AT("imatmul_at", text_imatmul, PyNumber_InPlaceMatrixMultiply),
    OPERATOR("eq", text_eq, compare<Py_EQ>),
    OPERATOR("ne", text_ne, compare<Py_NE>),
    OPERATOR("lt", text_lt, compare<Py_LT>),
    OPERATOR("le", text_le, compare<Py_LE>),
    OPERATOR("gt", text_gt, compare<Py_GT>),
    OPERATOR("ge", text_ge, compare<Py_GE>),
    {"neg", untyped(&unary<PyNumber_Negative, text_neg>), METH_FASTCALL, nullptr},
    {"invert", untyped(&unary<PyNumber_Invert, text_invert>), METH_FASTCALL, nullptr},
    PLACED("getitem", get_item),
    PLACED("setitem", set_item),
    PLACED("at", at),
    PLACED("put", put),
    PLACED("T", transposed),
    PLACED("slice", slice),
    PLACED("named", named),
    PLACED("begin", loop_begins),
    PLACED("iteration", iteration),
    PLACED("end", loop_ends),
    {"call", untyped(&call), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"__reduce__", untyped(&reduce), METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

void replace(PyObject *&place, nb::handle with) {
    PyObject *before = place;
    place = with.is_none() ? nullptr : Py_NewRef(with.ptr());
    Py_XDECREF(before);
}

}  // namespace

void bind_instrument(nb::module_ &m) {
    static PyType_Slot slots[] = {
        {Py_tp_methods, methods},
        {Py_tp_doc, const_cast<char *>("What instrumented source calls in place of operators.")},
        {0, nullptr},
    };
    static PyType_Spec spec = {"wellposed._native.Instrument", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, slots};
    nb::object type = nb::steal(PyType_FromSpec(&spec));
    m.attr("Instrument") = type;
    m.attr("instrument") = type();

    m.def(
        "instrument_start",
        [](nb::handle array_type, nb::handle scalar_type, nb::handle record, nb::handle trouble, nb::handle boundary,
           nb::handle value, nb::handle before) {
            state.array_type = reinterpret_cast<PyTypeObject *>(Py_NewRef(array_type.ptr()));
            state.scalar_type = reinterpret_cast<PyTypeObject *>(Py_NewRef(scalar_type.ptr()));
            replace(state.record, record);
            replace(state.trouble, trouble);
            replace(state.boundary, boundary);
            replace(state.value, value);
            replace(state.before, before);
            state.types.clear();
            state.loops.clear();
            state.step = state.call = state.wake_step = state.wake_call = 0;
            state.began = false;
            state.thread = PyThread_get_thread_ident();
            state.mode = recording;
        },
        nb::arg("array_type"), nb::arg("scalar_type"), nb::arg("record"), nb::arg("trouble"), nb::arg("boundary"),
        nb::arg("value"), nb::arg("before").none());
    m.def("instrument_stop", [] {
        state.mode = plain;
        state.floats.clear();
        for (PyObject **each : {&state.record, &state.trouble, &state.boundary, &state.value, &state.before})
            replace(*each, nb::none());
    });
    m.def("instrument_mode", [](int mode) { state.mode = mode; }, nb::arg("mode"));
    m.def(
        "instrument_wake",
        [](int64_t step, int64_t call) {
            state.wake_step = step;
            state.wake_call = call;
        },
        nb::arg("step"), nb::arg("call"));
    m.def("instrument_follow", [](nb::handle value) { state.floats.insert(value.ptr()); }, nb::arg("value"));
    m.def("instrument_unfollow", [](nb::handle value) { state.floats.erase(value.ptr()); }, nb::arg("value"));
}
