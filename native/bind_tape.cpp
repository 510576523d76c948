#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings.hpp"
#include "tape.hpp"

namespace nb = nanobind;

void bind_tape(nb::module_ &m) {
    using wellposed::Tape;
    nb::class_<Tape>(m, "Tape", "Every operator as it ran, with its tensors and their statistics, in order.")
        .def(nb::init<nb::object, nb::object, int, bool>(), nb::arg("tensor_type"), nb::arg("describe"),
             nb::arg("threads") = 1, nb::arg("host") = true)
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
        .def("forget_memory", &Tape::forget_memory, nb::arg("begin"), nb::arg("end"))
        .def("forget_labels", &Tape::forget_labels)
        .def("take_unread", &Tape::take_unread)
        .def(
            "answer",
            [](Tape &tape, int64_t key, int64_t count, int64_t nan, int64_t positive, int64_t negative, int64_t zero,
               int64_t subnormal, double minimum, double maximum, double smallest, double mean, double deviation,
               double rms, int64_t saturated) {
                tape.answer(key, {count, nan, positive, negative, zero, subnormal, minimum, maximum, smallest, mean,
                                  deviation, rms, saturated});
            },
            nb::arg("key"), nb::arg("count"), nb::arg("nan"), nb::arg("positive_infinity"),
            nb::arg("negative_infinity"), nb::arg("zero"), nb::arg("subnormal"), nb::arg("minimum"), nb::arg("maximum"),
            nb::arg("smallest_nonzero"), nb::arg("mean"), nb::arg("standard_deviation"), nb::arg("root_mean_square"),
            nb::arg("saturated"))
        .def("answer_check", &Tape::answer_check, nb::arg("key"), nb::arg("nan"), nb::arg("positive_infinity"),
             nb::arg("negative_infinity"))
        .def("judge_late", &Tape::judge_late)
        .def_prop_ro("last", &Tape::last)
        .def_prop_ro("last_site", &Tape::last_site)
        .def_prop_ro("pending", &Tape::pending);
    m.attr("MADE_NAN") = static_cast<int>(wellposed::made_nan);
    m.attr("MADE_INFINITY") = static_cast<int>(wellposed::made_infinity);
    m.attr("UNREAD_DEVICE") = static_cast<int>(wellposed::unread_device);
}
