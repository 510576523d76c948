// What the core knows of a tensor: an address, an element type, a shape and strides. No framework's headers.
#pragma once

#include <cstdint>

namespace wellposed {

enum class ElementType : uint8_t {
    unsupported,
    boolean,
    int8, int16, int32, int64,
    uint8, uint16, uint32, uint64,
    float64, float32, float16, bfloat16,
    float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz,
    complex32, complex64, complex128,
};

struct TensorView {
    const void *data = nullptr;
    ElementType type = ElementType::unsupported;
    int32_t dimensions = 0;
    const int64_t *shape = nullptr;    // elements along each dimension
    const int64_t *strides = nullptr;  // in elements; null means row-major contiguous
};

inline int64_t element_count(const TensorView &view) {
    int64_t count = 1;
    for (int32_t i = 0; i < view.dimensions; ++i)
        count *= view.shape[i];
    return count;
}

// Bytes of one element; 0 for an unsupported type.
constexpr int64_t element_bytes(ElementType type) {
    using enum ElementType;
    switch (type) {
        case boolean: case int8: case uint8:
        case float8_e4m3fn: case float8_e4m3fnuz: case float8_e5m2: case float8_e5m2fnuz: return 1;
        case int16: case uint16: case float16: case bfloat16: return 2;
        case int32: case uint32: case float32: case complex32: return 4;
        case int64: case uint64: case float64: case complex64: return 8;
        case complex128: return 16;
        case unsupported: break;
    }
    return 0;
}

}  // namespace wellposed
