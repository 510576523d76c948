#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings.hpp"

namespace nb = nanobind;

#if defined(__linux__) && defined(__LP64__)

#include "sampler.hpp"
#include "sampler_symbols.hpp"

namespace {

using wellposed::FrameLayout;
using wellposed::Sample;
using wellposed::Sampler;

Sampler *holder = nullptr;
FrameLayout holder_layout;
std::vector<PyObject *> held;

/// Takes a reference to code objects that samples named, so that their addresses stay theirs. With the GIL held.
int hold_codes(void *) {
    if (!holder) return 0;
    for (const std::uintptr_t address : holder->take_codes()) {
        std::uintptr_t head[2];
        if (!wellposed::read_guarded(address, head, sizeof head) || head[1] != holder_layout.code_type) continue;
        // What was freed meanwhile holds a link of the allocator, or zero, where its reference count was.
        const bool freed = head[0] == 0 || head[0] > 0xffff'ffffu;
        if (freed) continue;
        auto *code = reinterpret_cast<PyObject *>(address);
        Py_INCREF(code);
        held.push_back(code);
    }
    return 0;
}

FrameLayout layout_from(nb::handle given, std::uintptr_t code_type) {
    FrameLayout layout;
    if (given.is_none()) return layout;
    const nb::dict table = nb::cast<nb::dict>(given);
    const auto at = [&](const char *name) { return nb::cast<std::size_t>(table[name]); };
    layout.known = true;
    layout.through_cframe = at("through_cframe") != 0;
    layout.thread_frame = at("thread_frame");
    layout.cframe_frame = at("cframe_frame");
    layout.frame_code = at("frame_code");
    layout.frame_previous = at("frame_previous");
    layout.frame_instruction = at("frame_instruction");
    layout.frame_owner = at("frame_owner");
    layout.code_instructions = at("code_instructions");
    layout.thread_interpreter = at("thread_interpreter");
    layout.interpreter_collecting = at("interpreter_collecting");
    layout.code_type = code_type;
    return layout;
}

nb::tuple frames_of(const Sample &sample) {
    nb::list frames;
    for (std::size_t i = 0; i < sample.depth; ++i)
        frames.append(nb::make_tuple(sample.frames[i].code, sample.frames[i].offset));
    return nb::tuple(frames);
}

nb::list counted(const Sampler &sampler) {
    nb::list rows;
    sampler.tally().each([&](const wellposed::TallyKey &key, const wellposed::TallyCount &count) {
        const Sample &sample = key.sample;
        rows.append(nb::make_tuple(key.thread, sample.instruction, sample.opcode, sample.collecting, frames_of(sample),
                                   count.signals, count.weight, count.weight_squared));
    });
    return rows;
}

nb::list threads_of(const Sampler &sampler) {
    nb::list rows;
    for (const auto &each : sampler.threads())
        rows.append(nb::make_tuple(each.thread, each.name, each.wall, each.first.cpu, each.first.queued, each.last.cpu,
                                   each.last.queued, each.seen_running, each.seen_waiting_for_runtime,
                                   each.seen_blocked, each.dropped));
    return rows;
}

nb::list take_held() {
    nb::list codes;
    for (PyObject *code : held)
        codes.append(nb::make_tuple(reinterpret_cast<std::uintptr_t>(code), nb::steal<nb::object>(code)));
    held.clear();
    return codes;
}

/// What a sample taken here and now would tell: (opcode, collecting, ((code, offset), …)).
nb::tuple observe_here(nb::dict table, std::uintptr_t code_type) {
    Sample sample;
    wellposed::observe_frames(PyThreadState_Get(), layout_from(table, code_type), sample);
    return nb::make_tuple(sample.opcode, sample.collecting, frames_of(sample));
}

nb::tuple look_up(const std::string &path, const std::vector<std::uint64_t> &offsets) {
    const auto table = wellposed::symbols_at(path, offsets);
    return nb::make_tuple(table.full, table.build_id, table.names);
}

}  // namespace

void bind_sampler(nb::module_ &m) {
    nb::class_<Sampler>(m, "Sampler", "Notes what every thread executes, after each period of its own CPU time.")
        .def("__init__",
             [](Sampler *self, nb::object layout, std::uintptr_t code_type, double rate, std::uintptr_t runtime_begin,
                std::uintptr_t runtime_end) {
                 wellposed::SamplerOptions options;
                 options.layout = layout_from(layout, code_type);
                 options.rate = rate;
                 options.runtime_begin = runtime_begin;
                 options.runtime_end = runtime_end;
                 if (options.layout.known) {
                     options.ask_for_holding = Py_AddPendingCall;
                     options.hold = hold_codes;
                 }
                 new (self) Sampler(options);
             },
             nb::arg("layout").none(), nb::arg("code_type"), nb::arg("rate"), nb::arg("runtime_begin") = 0,
             nb::arg("runtime_end") = 0)
        .def("start",
             [](Sampler &self, nb::object layout, std::uintptr_t code_type) {
                 if (!wellposed::sampler_is_running()) {
                     holder = &self;
                     holder_layout = layout_from(layout, code_type);
                 }
                 self.start();
             },
             nb::arg("layout").none(), nb::arg("code_type"))
        .def("stop",
             [](Sampler &self) {
                 {
                     nb::gil_scoped_release release;
                     self.stop();
                 }
                 if (holder == &self) {
                     hold_codes(nullptr);
                     holder = nullptr;
                 }
             })
        .def("counted", &counted)
        .def("threads", &threads_of)
        .def_static("take_held", &take_held)
        .def_prop_ro("lost", [](const Sampler &self) { return self.tally().lost(); })
        .def_prop_ro("displaced", &Sampler::displaced);
    m.def("sampler_is_running", &wellposed::sampler_is_running);
    m.def("sampler_guarded_reads_work", &wellposed::guarded_reads_work);
    m.def("sampler_observe_here", &observe_here, nb::arg("layout"), nb::arg("code_type"));
    m.def("elf_symbols", &look_up, nb::arg("path"), nb::arg("file_offsets"));
    m.attr("SAMPLER") = true;
}

#else

void bind_sampler(nb::module_ &m) { m.attr("SAMPLER") = false; }

#endif
