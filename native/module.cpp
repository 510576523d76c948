#include <nanobind/nanobind.h>

#include "bindings.hpp"

namespace nb = nanobind;

NB_MODULE(_native, m) {
    m.doc() = "The compiled core of wellposed: statistics of tensors, the tape of operations, orders of chains,"
              " the sampler of Python's costs.";
    bind_statistics(m);
    bind_tape(m);
    bind_chain(m);
    bind_instrument(m);
    bind_sampler(m);
}
