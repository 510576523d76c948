"""Maps over steps: a row a layer; what stands in a cell, what is left out, the band of healthy updates."""

from __future__ import annotations

import math

from tests.records import RecordBuilder, columns, statistics
from tests.report.conftest import BROKEN_AT
from wellposed.record import Record
from wellposed.report.maps import activation_map, cell, gradient_map, update_map


def test_the_gradient_map_has_a_row_a_parameter_in_order(broken):
    found = gradient_map(broken[0][0])

    assert found["rows"][0] == "layers.0.weight"
    assert found["rows"][-1] == "project.weight"
    assert found["broken"] == BROKEN_AT
    assert found["cells"][0][BROKEN_AT] == "x"
    assert found["cells"][0][0] < found["cells"][8][0]


def test_the_activation_map_has_what_each_module_made_last(broken):
    found = activation_map(broken[0][0])

    assert found["rows"][:2] == ["Sequential.0", "Sequential.1"]
    assert found["rows"][-1] == "Distance"
    assert found["cells"][0][0] == 0.6
    assert found["broken"] == BROKEN_AT + 1


def test_big_maps_are_thinned_and_keep_the_first_broken_step(tmp_path):
    with RecordBuilder(tmp_path / "big.wellposed") as record:
        parameters = [record.parameter(f"p{n}") for n in range(200)]
        for step in range(0, 2000, 5):
            record.step(step, gradient_nonfinite=200 if step >= 1985 else 0)
            for parameter in parameters:
                record.gradient(step, parameter, statistics(nan=int(step >= 1985)))
    found = gradient_map(Record(tmp_path / "big.wellposed"))

    assert len(found["rows"]) <= 60
    assert len(found["steps"]) <= 62
    assert found["broken"] == 1985
    assert 1985 in found["steps"]
    assert (found["all_rows"], found["all_steps"]) == (200, 400)


def test_many_parameters_leave_out_biases_first(tmp_path):
    with RecordBuilder(tmp_path / "wide.wellposed") as record:
        for n in range(60):
            record.gradient(0, record.parameter(f"{n}.weight"), statistics())
            record.gradient(0, record.parameter(f"{n}.bias", (8,)), statistics())
    found = gradient_map(Record(tmp_path / "wide.wellposed"))

    assert found["title"] == "gradient rms per weight matrix"
    assert found["rows"] == [f"{n}.weight" for n in range(60)]


def test_zero_small_not_finite_and_not_recorded_are_told_apart():
    assert [cell(value) for value in (0.0, 1e-30, math.nan, math.inf, None)] == [0.0, 1e-30, "x", "x", None]
    assert cell(-1.0) is None  # no size, but damage


def test_updates_are_told_with_the_band_in_which_learning_goes_on(tmp_path):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        first, second = record.parameter("a.weight"), record.parameter("b.weight")
        for step, (slow, fast) in enumerate([(1e-6, 1e-3), (1e-6, 0.5)]):
            record.step(step)
            record.gradient(step, first, statistics(), update_ratio=slow)
            record.gradient(step, second, statistics(), update_ratio=fast)
        record.gradient(1, record.parameter("never.moved"), None, update_ratio=None)

    found = update_map(Record(tmp_path / "a.wellposed"))

    assert found["band"] == [1e-4, 1e-1]
    assert found["cells"] == [[1e-6, 1e-6], [1e-3, 0.5]]
    assert found["reading"] == (
        "25 % of the updates shown are between 1e-4 and 1e-1 of their weights, 50 % are smaller, 25 % are larger."
    )


def test_healthy_updates_are_told_as_such(broken, tmp_path):
    assert update_map(broken[0][0])["reading"].startswith("All updates shown are between")
    with RecordBuilder(tmp_path / "empty.wellposed"):
        pass
    assert update_map(Record(tmp_path / "empty.wellposed")) is None


def test_outputs_of_modules_alone_are_drawn_as_well(tmp_path):
    with RecordBuilder(tmp_path / "a.wellposed") as record:
        record.step(0, "modules")
        record.writer.add("module", [(1, "Net.a", None, None), (2, "Net.b", None, None)])
        record.writer.add("module_step", [(0, 1, *columns(statistics(rms=2.0))), (0, 2, *columns(statistics(nan=1)))])

    found = activation_map(Record(tmp_path / "a.wellposed"))

    assert (found["rows"], found["cells"]) == (["Net.a", "Net.b"], [[2.0], ["x"]])
