#include <nanobind/nanobind.h>

namespace nb = nanobind;

NB_MODULE(_native, m) {
    m.doc() = "The compiled core of wellposed: statistics of tensors and the tape of operations.";
}
