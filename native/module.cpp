#include <nanobind/nanobind.h>

#include "bindings.hpp"

namespace nb = nanobind;

NB_MODULE(_native, m) {
    m.doc() = "The compiled core of wellposed: statistics of tensors and the tape of operations.";
    bind_statistics(m);
    bind_tape(m);
}
