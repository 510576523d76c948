// Reads the memory of Python tensors and arrays in place: no copy, no reference to any framework's headers.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>

#include "tensor_view.hpp"

namespace wellposed {

// A view with what keeps it readable. The shape, the strides and the memory belong to the Python object it was made
// from (or to `holder`): it is valid only while that object lives and is not resized.
struct ViewStorage {
    TensorView view;
    int32_t device_type = 0;  // DLPack's numbers: 1 is the CPU, 2 is CUDA
    int32_t device_id = 0;
    nanobind::ndarray<nanobind::ro> holder;

    // Whether the processor may read `view.data`.
    bool on_host() const noexcept;
};

// Describes `object` where it is a dense tensor or array. Returns false, with no Python error left set, when it is
// none, or when its memory does not exist (sparse, meta and fake tensors, wrappers such as those of functional
// transforms and of distributed tensors). A tensor on another device gives true: its address identifies it, but must
// not be read; nor may one whose element type is `unsupported`. A lazily conjugated or negated tensor is seen as it
// lies in memory, without the conjugation.
// The caller holds the GIL.
bool view_of(PyObject *object, ViewStorage &out);

}  // namespace wellposed
