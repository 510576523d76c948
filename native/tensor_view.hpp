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

}  // namespace wellposed
