"""Two runs side by side: what differs first, and where. On records made by hand."""

from __future__ import annotations

import json
import math
import re
from importlib import resources

import pytest

from tests.records import RecordBuilder, columns, statistics
from tests.report.comparing import SOURCE, compared, every_format, told, write_run
from wellposed.record.schema import COLUMNS
from wellposed.report.compare import to_json, to_json_text


@pytest.fixture
def a(tmp_path):
    return write_run(tmp_path / "a.wellposed")


@pytest.fixture
def b(tmp_path):
    """Where the other run's record goes."""
    return tmp_path / "b.wellposed"


def test_equal_runs_are_the_same_to_the_last_digit(a, b):
    account = told(a, write_run(b))

    assert account.headline == "the same to the last recorded digit: 6 steps, 9 operators side by side"
    assert account.same
    assert not (account.sentences or account.given.groups or account.parting.groups or account.course.groups)


def test_the_optimizers_setting_is_the_first_difference(a, b):
    losses = [2.0, 1.0, 0.5, 0.25, 0.12, 0.06]
    found = compared(a, write_run(b, lr=0.3, losses=losses))

    assert found.status == "different"
    assert (found.first.kind, found.first.name, found.first.a, found.first.b) == ("optimizer", "SGD: lr", 0.1, 0.3)
    assert found.course.step_of("loss") == 1
    assert found.course.step_of("learning-rate") == 0
    assert told(a, b).headline == "the losses part in step 1"
    assert told(a, b).sentences[0] == "First difference: optimizer SGD: lr is 0.1 in A and 0.3 in B."


def test_the_first_value_that_differs_is_named_with_its_line(a, b):
    found = compared(a, write_run(b, rms=1.5))

    (value,) = found.operations
    assert (value.kind, value.step, value.a.operator, value.what) == ("value", 0, "aten.exp.default", "rms")
    assert (value.a.at.file, value.a.at.line, value.a_value, value.b_value) == ("train.py", 6, 1.0, 1.5)
    assert value.relative == pytest.approx(1 / 3)
    assert found.first.kind == "operation"
    assert told(a, b).headline == "the runs part in step 0; their losses do not"


def test_digits_within_the_tolerance_are_rounding(a, b):
    found = compared(a, write_run(b, rms=1.0 + 1e-8))

    assert found.status == "rounding"
    assert found.first is None
    assert found.operations == ()
    assert found.first_digit.a.operator == "aten.exp.default"
    assert told(a, b).headline.startswith("the same up to rounding")
    shown = told(a, b).parting.groups[0].rows[0]
    assert shown.a != shown.b


def test_other_dtypes_are_given_more_room(a, b):
    near = write_run(b, dtype="float16", rms=1.004)
    found = compared(a, near)

    assert (found.a.precision, found.b.precision) == ("float32", "float16")
    assert found.tolerance == 8 * 2.0**-10
    assert [each.kind for each in found.operations] == ["dtype"]
    assert compared(near, write_run(a, dtype="float16")).tolerance == 1e-6


def test_initial_weights_come_before_everything_they_lead_to(a, b):
    found = compared(a, write_run(b, weight=0.6, rms=1.5, gradient=0.3))

    assert (found.first.kind, found.first.name) == ("initial-weights", "Net.linear.weight: rms")
    assert found.gradient.a_name == "Net.linear.weight"
    assert [each.kind for each in found.operations] == ["value"]


def test_a_gradient_alone_can_differ(a, b):
    found = compared(a, write_run(b, gradient=0.3))

    assert (found.first.kind, found.first.step) == ("gradient", 0)
    assert (found.gradient.what, found.gradient.a_value, found.gradient.b_value) == ("rms", 0.25, 0.3)


def test_an_operator_of_one_run_does_not_hide_what_follows(a, b):
    found = compared(a, write_run(b, extra=True, rms=1.5))

    missing, value = found.operations
    assert (missing.kind, missing.a, missing.b.operator) == ("missing", None, "aten.clone.default")
    assert (value.kind, value.a.operator) == ("value", "aten.exp.default")


def test_an_operator_more_makes_no_other_numbers(a, b):
    found = compared(a, write_run(b, extra=True))

    assert found.status == "same"
    assert found.first.name == "operator"


def test_an_argument_that_differs_is_named(a, b):
    (argument,) = compared(a, write_run(b, epsilon=1e-12)).operations

    assert (argument.kind, argument.what, argument.a_value, argument.b_value) == ("argument", "eps", 1e-5, 1e-12)


def test_an_objects_address_is_no_difference(tmp_path):
    for name in "ab":
        with RecordBuilder(tmp_path / f"{name}.wellposed") as record:
            record.step(0, loss=1.0)
            text = f"<torch._C.Generator object at 0x7f40{name}>"
            record.operation("aten.rand.generator", output=statistics(), arguments={"generator": text})
    found = compared(tmp_path / "a.wellposed", tmp_path / "b.wellposed")

    assert (found.status, found.operations) == ("same", ())


def test_edited_source_is_shown_and_lines_are_followed(a, b):
    edited = SOURCE.replace("import torch\n", "import math\nimport torch\n").replace("torch.exp(", "torch.exp(1 *")
    found = compared(a, write_run(b, source=edited, line=7))

    assert found.status == "same"
    assert found.extent.operations == 9
    (source,) = found.sources
    assert "+import math" in source.diff
    assert "-    hidden = torch.exp(model(x))" in source.diff
    assert "What was given to them differs all the same: source text." in told(a, b).sentences


def test_a_long_diff_is_cut(tmp_path, b):
    texts = ["\n".join(f"{word} = {n}" for n in range(3_000)) for word in ("left", "right")]
    found = compared(write_run(tmp_path / "a.wellposed", source=texts[0]), write_run(b, source=texts[1]))

    (source,) = found.sources
    assert len(source.diff) + source.left_out == 6_000
    assert len(source.diff) == 200


def test_a_renamed_class_is_followed(a, b):
    found = compared(a, write_run(b, root="Network"))

    assert found.status == "same"
    assert found.extent.operations == 9
    assert [(each.kind, each.what) for each in found.settings] == [("parameter", "name")]


def test_files_of_another_name_are_followed(a, tmp_path):
    with RecordBuilder(tmp_path / "b.wellposed", script="/home/someone/new.py") as record:
        record.source("new.py", SOURCE)
        record.step(0, loss=2.0)
        record.operation("aten.addmm.default", file="new.py", line=6, module="Net.linear", output=statistics(rms=1.5))
    with RecordBuilder(a, script="/home/someone/train.py") as record:
        record.source("train.py", SOURCE)
        record.step(0, loss=2.0)
        record.operation("aten.addmm.default", line=6, module="Net.linear", output=statistics(rms=1.5))

    found = compared(a, tmp_path / "b.wellposed")
    assert (found.status, found.extent.operations, found.sources) == ("same", 1, ())


def test_parameters_that_only_one_has_are_named(a, b):
    with RecordBuilder(b) as record:
        record.parameter("Net.linear.weight", (4, 8))
        record.parameter("Net.linear.bias", (8,))
        record.parameter("Net.scale", (8,))
    found = compared(a, b)

    kinds = [(each.name, each.what, each.a, each.b, each.others) for each in found.settings]
    assert ("Net.linear.weight", "shape", "8×8", "4×8", 0) in kinds
    assert ("Net.linear.bias", "", None, "float32 8", 1) in kinds


def test_versions_and_commands_are_listed_but_are_no_difference_in_what_ran(a, b):
    found = compared(a, write_run(b, argv=["train.py", "--fast"], versions={"torch": "2.12.0"}))

    assert [each.kind for each in found.settings] == ["version", "argv"]
    assert found.status == "same"
    assert found.first is None
    assert told(a, b).sentences == ("What was given to them differs all the same: versions, command.",)


def test_the_course_has_its_milestones(a, b):
    losses = [2.0, 1.8 * (1 + 1e-5), 2.0, 50.0, math.inf, math.nan]
    course = compared(a, write_run(b, losses=losses)).course

    steps = [course.step_of(event) for event in ("loss", "loss-10-percent", "loss-tenfold", "b-nonfinite", "last")]
    assert steps == [1, 2, 3, 4, 5]
    assert course.step_of("a-nonfinite") is None
    at_four = next(each for each in course.beside if each.step == 4)
    assert (at_four.a.gradient_nonfinite, at_four.b.gradient_nonfinite) == (0, 64)


def test_swapping_the_runs_swaps_the_sides(a, b):
    write_run(b, lr=0.3, rms=1.5, extra=True, losses=[2.0, 1.0, 0.5, 0.25, 0.12, 0.06])
    there, back = compared(a, b), compared(b, a)

    assert (there.status, there.tolerance) == (back.status, back.tolerance)
    assert (there.first.a, there.first.b) == (back.first.b, back.first.a)
    assert [(each.kind, each.step) for each in there.operations] == [(each.kind, each.step) for each in back.operations]
    assert [(each.a, each.b) for each in there.operations] == [(each.b, each.a) for each in back.operations]
    assert [(each.step, each.a, each.b) for each in there.course.beside] == [
        (each.step, each.b, each.a) for each in back.course.beside
    ]


def test_runs_of_different_length_are_compared_as_far_as_both_go(a, b):
    account = told(a, write_run(b, steps=4))

    assert (
        account.headline == "the same to the last recorded digit as far as both go: 4 steps, 9 operators side by side"
    )
    assert account.sentences == ("A has 2 steps more.",)


def test_records_without_anything_have_nothing_to_compare(tmp_path):
    for name in "ab":
        with RecordBuilder(tmp_path / f"{name}.wellposed"):
            pass
    account = told(tmp_path / "a.wellposed", tmp_path / "b.wellposed")

    assert account.headline.startswith("nothing to compare")


def test_operators_without_a_step_are_compared(tmp_path):
    for name, rms in (("a", 1.0), ("b", 2.0)):
        with RecordBuilder(tmp_path / f"{name}.wellposed") as record:
            record.operation("aten.exp.default", output=statistics(rms=rms))
    found = compared(tmp_path / "a.wellposed", tmp_path / "b.wellposed")

    assert (found.status, found.operations[0].kind) == ("different", "value")


def test_outputs_of_modules_are_compared_where_there_are_no_operators(tmp_path):
    for name, rms in (("a", 1.0), ("b", 2.0)):
        with RecordBuilder(tmp_path / f"{name}.wellposed") as record:
            record.step(0, "modules", loss=1.0)
            for number, module in enumerate(("Net.first", "Net.second"), 1):
                rest = [None] * (len(COLUMNS["module"]) - 2)
                record.writer.add("module", [(number, module, *rest)])
                output = statistics(rms=rms if module == "Net.second" else 1.0)
                record.writer.add("module_step", [(0, number, *columns(output))])
    found = compared(tmp_path / "a.wellposed", tmp_path / "b.wellposed")

    (value,) = found.operations
    assert (value.a.module, value.what, value.a_value, value.b_value) == ("Net.second", "rms", 1.0, 2.0)
    account = told(tmp_path / "a.wellposed", tmp_path / "b.wellposed")
    assert account.parting.groups[0].title == "value differs: output of Net.second (step 0, forward)"


def test_uninitialised_memory_is_no_difference(tmp_path):
    for name, rms in (("a", 1.0), ("b", 2.0)):
        with RecordBuilder(tmp_path / f"{name}.wellposed") as record:
            record.step(0, loss=1.0)
            record.operation("aten.empty_like.default", output=statistics(rms=rms))

    assert compared(tmp_path / "a.wellposed", tmp_path / "b.wellposed").status == "same"


def test_nan_is_the_same_as_nan(tmp_path):
    for name in "ab":
        write_run(tmp_path / f"{name}.wellposed", losses=[2.0, math.nan, math.inf, math.nan, math.nan, math.nan])

    assert compared(tmp_path / "a.wellposed", tmp_path / "b.wellposed").status == "same"


def test_findings_of_one_run_are_listed(a, b):
    found = compared(a, write_run(b, losses=[2.0, math.nan, math.nan, math.nan, math.nan, math.nan]))

    assert {each.run for each in found.findings} <= {"B"}
    assert found.a.verdict == "healthy"


def test_json_is_the_model_by_its_names(a, b):
    write_run(b, losses=[2.0, math.nan, 1.0, 1.0, 1.0, math.inf])
    made = json.loads(to_json_text(compared(a, b)))

    assert made == to_json(compared(a, b))
    assert made["schema"] == "wellposed-compare/1"
    assert made["status"] == "different"
    assert made["first"]["b"] == "nan"
    assert {"a", "b", "tolerance", "settings", "sources", "operations", "gradient", "course", "findings"} <= made.keys()


def test_the_terminal_fits_80_columns(a, b):
    write_run(b, lr=0.3, rms=1.5, extra=True, dtype="float16", argv=["train.py", "--and-so-on", "x" * 100])
    text, _ = every_format(a, b)

    *report, _, _ = text.rstrip().split("\n")
    assert max(map(len, report)) <= 80
    assert text.startswith("✗ the runs part in step 0")
    assert text.rstrip().split("\n")[-1].startswith("wellposed report --compare --format html ")


def test_the_page_draws_both_courses(a, b):
    write_run(b, losses=[2.0, 40.0, 800.0, math.nan, math.nan, math.nan])
    _, page = every_format(a, b)

    assert page.count("<svg") == 2
    assert page.count("<path") == 4
    assert "step 3: NaN" in page
    assert "logarithmic" in page
    assert "<script" not in page
    assert 'name="generator" content="wellposed"' in page


def test_every_colour_is_one_of_the_ordinary_page():
    report = resources.files("wellposed.report")
    ordinary = (report / "templates" / "report.css").read_text("utf-8")
    own = (report / "compare" / "compare.css").read_text("utf-8")

    assert set(re.findall(r"var\((--[\w-]+)\)", own)) <= set(re.findall(r"(--[\w-]+):", ordinary))
