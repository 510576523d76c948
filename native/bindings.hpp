// The parts of the Python module, one function each.
#pragma once

#include <nanobind/nanobind.h>

void bind_statistics(nanobind::module_ &m);
void bind_tape(nanobind::module_ &m);
void bind_chain(nanobind::module_ &m);
void bind_instrument(nanobind::module_ &m);
void bind_sampler(nanobind::module_ &m);
