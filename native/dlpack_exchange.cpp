// PyTorch offers a C function that fills a DLTensor without creating Python objects, which costs tens of nanoseconds
// where `__dlpack__` costs microseconds. Everything else goes through nanobind: `__dlpack__`, then the buffer protocol.
#include "dlpack_exchange.hpp"

#include <cstddef>
#include <utility>

namespace nb = nanobind;

namespace wellposed {

namespace {

using nb::dlpack::dltensor;
using nb::dlpack::dtype_code;

// The published layout of `__dlpack_c_exchange_api__`, major version 1; the functions that are not called are untyped.
struct ExchangeHeader {
    uint32_t major;
    uint32_t minor;
    const ExchangeHeader *previous;
};

struct ExchangeApi {
    ExchangeHeader header;
    void *allocate;
    void *managed_from_object;
    void *managed_to_object;
    int (*describe)(void *object, dltensor *out);
    void *current_stream;
};

constexpr uint32_t supported_major = 1;
constexpr int32_t device_cpu = 1;
constexpr int32_t device_cuda_host = 3;
constexpr int32_t device_rocm_host = 11;

const ExchangeApi *look_up_exchange_api(PyObject *type) {
    PyObject *capsule = PyObject_GetAttrString(type, "__dlpack_c_exchange_api__");
    if (!capsule) {
        PyErr_Clear();
        return nullptr;
    }
    auto *header = static_cast<const ExchangeHeader *>(PyCapsule_GetPointer(capsule, "dlpack_exchange_api"));
    if (!header)
        PyErr_Clear();
    Py_DECREF(capsule);
    while (header && header->major != supported_major)
        header = header->previous;
    auto *api = reinterpret_cast<const ExchangeApi *>(header);
    return api && api->describe ? api : nullptr;
}

// A subclass that dispatches for itself (DTensor, fake and functional tensors, quantised ones) is a wrapper: the address
// that it claims is that of no memory, or of memory that means something else.
bool is_wrapper(PyTypeObject *type) {
    PyObject *dispatch = PyObject_GetAttrString(reinterpret_cast<PyObject *>(type), "__torch_dispatch__");
    if (!dispatch) {
        PyErr_Clear();
        return false;
    }
    const bool own = !PyObject_TypeCheck(dispatch, &PyCFunction_Type);
    Py_DECREF(dispatch);
    return own;
}

struct Access {
    const ExchangeApi *api = nullptr;
    bool wrapper = false;
};

// The answer of a type never changes. The types are kept alive, so that an address cannot come to mean another type;
// there are few of them (Tensor, Parameter, ndarray, user subclasses), and beyond the table the attribute is read anew.
Access access_of(PyTypeObject *type) {
    struct Entry {
        PyTypeObject *type;
        Access access;
    };
    static Entry table[32];
    static size_t used = 0;

    for (size_t i = 0; i < used; ++i)
        if (table[i].type == type)
            return table[i].access;
    auto *as_object = reinterpret_cast<PyObject *>(type);
    Access access{nullptr, is_wrapper(type)};
    if (!access.wrapper)
        access.api = look_up_exchange_api(as_object);
    if (used < sizeof(table) / sizeof(table[0])) {
        Py_INCREF(as_object);
        table[used++] = {type, access};
    }
    return access;
}

ElementType pick(int bits, ElementType of8, ElementType of16, ElementType of32, ElementType of64) {
    switch (bits) {
        case 8: return of8;
        case 16: return of16;
        case 32: return of32;
        case 64: return of64;
        default: return ElementType::unsupported;
    }
}

ElementType element_type(nb::dlpack::dtype dtype) {
    using enum ElementType;
    if (dtype.lanes != 1)
        return unsupported;
    switch (static_cast<dtype_code>(dtype.code)) {
        case dtype_code::Int: return pick(dtype.bits, int8, int16, int32, int64);
        case dtype_code::UInt: return pick(dtype.bits, uint8, uint16, uint32, uint64);
        case dtype_code::Float: return pick(dtype.bits, unsupported, float16, float32, float64);
        case dtype_code::Bfloat: return dtype.bits == 16 ? bfloat16 : unsupported;
        case dtype_code::Complex:
            return dtype.bits == 128 ? complex128 : pick(dtype.bits, unsupported, unsupported, complex32, complex64);
        case dtype_code::Bool: return dtype.bits == 8 ? boolean : unsupported;
        case dtype_code::Float8_E4M3FN: return float8_e4m3fn;
        case dtype_code::Float8_E4M3FNUZ: return float8_e4m3fnuz;
        case dtype_code::Float8_E5M2: return float8_e5m2;
        case dtype_code::Float8_E5M2FNUZ: return float8_e5m2fnuz;
        default: return unsupported;
    }
}

bool fill(const dltensor &tensor, ViewStorage &out) {
    out.view.data = tensor.data ? static_cast<const char *>(tensor.data) + tensor.byte_offset : nullptr;
    out.view.type = element_type(tensor.dtype);
    out.view.dimensions = tensor.ndim;
    out.view.shape = tensor.shape;
    out.view.strides = tensor.strides;
    out.device_type = tensor.device.device_type;
    out.device_id = tensor.device.device_id;
    // A fake tensor claims a shape on the CPU and has no memory.
    return out.view.data || element_count(out.view) == 0;
}

bool view_through_nanobind(PyObject *object, ViewStorage &out) {
    nb::ndarray<nb::ro> array;
    const bool converted = nb::try_cast(nb::handle(object), array, false);
    PyErr_Clear();
    if (!converted || !array.is_valid())
        return false;
    dltensor tensor;
    tensor.data = const_cast<void *>(static_cast<const void *>(array.data()));
    tensor.device = {array.device_type(), array.device_id()};
    tensor.ndim = static_cast<int32_t>(array.ndim());
    tensor.dtype = array.dtype();
    tensor.shape = const_cast<int64_t *>(array.shape_ptr());
    tensor.strides = const_cast<int64_t *>(array.stride_ptr());
    out.holder = std::move(array);
    return fill(tensor, out);
}

}  // namespace

bool ViewStorage::on_host() const noexcept {
    return device_type == device_cpu || device_type == device_cuda_host || device_type == device_rocm_host;
}

bool view_of(PyObject *object, ViewStorage &out) {
    if (out.holder.is_valid())
        out.holder = {};
    const Access access = access_of(Py_TYPE(object));
    if (access.wrapper)
        return false;
    if (!access.api)
        return view_through_nanobind(object, out);
    dltensor tensor;
    if (access.api->describe(object, &tensor) != 0) {
        PyErr_Clear();
        return false;
    }
    return fill(tensor, out);
}

}  // namespace wellposed
