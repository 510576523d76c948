#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings.hpp"
#include "tape.hpp"

namespace nb = nanobind;

void bind_tape(nb::module_ &m) {
    using wellposed::Tape;
    nb::class_<Tape>(m, "Tape", "Every operator as it ran, with its tensors and their statistics, in order.")
        .def(nb::init<nb::object, nb::object, int>(), nb::arg("tensor_type"), nb::arg("describe"), nb::arg("threads") = 1)
        .def("record", &Tape::record, nb::arg("func"), nb::arg("args"), nb::arg("kwargs").none(), nb::arg("out").none(),
             nb::arg("site"), nb::arg("module"), nb::arg("phase"), nb::arg("seconds"), nb::arg("forward_node"),
             nb::arg("made_sequence"))
        .def("set_level", &Tape::set_level)
        .def("set_threads", &Tape::set_threads)
        .def("label", &Tape::label)
        .def("producer", &Tape::producer)
        .def("site_of", &Tape::site_of)
        .def("drain", &Tape::drain, nb::arg("step"), nb::arg("call"))
        .def("discard", &Tape::discard)
        .def("forget_flow", &Tape::forget_flow)
        .def("forget_labels", &Tape::forget_labels)
        .def("set_statistics", &Tape::set_statistics)
        .def_prop_ro("last", &Tape::last)
        .def_prop_ro("last_site", &Tape::last_site)
        .def_prop_ro("pending", &Tape::pending);
    m.attr("MADE_NAN") = static_cast<int>(wellposed::made_nan);
    m.attr("MADE_INFINITY") = static_cast<int>(wellposed::made_infinity);
    m.attr("UNREAD_DEVICE") = static_cast<int>(wellposed::unread_device);
}
