"""The prediction from records made by hand: the shares, the verdicts and what is not known."""

from __future__ import annotations

import json

import pytest

from tests.records import RecordBuilder, statistics
from wellposed.advice.fit import fit
from wellposed.record import Record


def _record(tmp_path, **meta):
    return RecordBuilder(tmp_path / "a.wellposed", **meta)


def _fit(builder, dtype="float16"):
    builder.writer.close()
    with Record(builder.path) as record:
        return fit(record, dtype)


def test_shares_are_counted_where_exponents_are_and_proved_where_not(tmp_path):
    record = _record(tmp_path)
    record.source("train.py", "y = x * 1e5\n")
    record.step(0)
    made = record.operation("aten.mul.Tensor", module="Net", output=statistics(count=100, minimum=-2e5, maximum=1e5))
    assert not (bare := _fit(record)).exact and bare.operations[0].fate.overflow == 0.01
    record = _record(tmp_path)
    record.step(0)
    made = record.operation("aten.mul.Tensor", module="Net", output=statistics(count=100, minimum=-2e5, maximum=1e5))
    record.writer.add("result_exponents", [(made, 0, 14, json.dumps([60, 0, 25, 15]), 0)])
    counted = _fit(record)
    assert counted.exact and counted.operations[0].fate.overflow == pytest.approx(0.4)
    assert counted.operations[0].overflows == (made,)
    assert counted.verdict == "with-modules-kept" and [each.module for each in counted.keep] == ["Net"]


def test_a_place_is_told_once_with_its_worst_call(tmp_path):
    record = _record(tmp_path)
    record.step(0)
    for largest in (1.0, 7e4, 3e5):
        record.operation("aten.mul.Tensor", module="Net", output=statistics(minimum=0.0, maximum=largest))
    (told,) = _fit(record).operations
    assert told.calls == 3 and told.fate.largest == 3e5 and told.operations == (2, 3)


def test_an_infinity_that_only_a_softmax_reads_does_no_harm(tmp_path):
    record = _record(tmp_path)
    record.step(0)
    masked = record.operation("aten.add.Tensor", module="Net", output=statistics(minimum=-1e9, maximum=1.0))
    record.operation("aten._softmax.default", module="Net", output=statistics(minimum=0.0), inputs=[masked])
    assert _fit(record).verdict == "fits"


def test_an_infinity_that_something_else_reads_as_well_does(tmp_path):
    record = _record(tmp_path)
    record.step(0)
    masked = record.operation("aten.add.Tensor", module="Net", output=statistics(minimum=-1e9, maximum=1.0))
    record.operation("aten._softmax.default", module="Net", output=statistics(minimum=0.0), inputs=[masked])
    record.operation("aten.sin.default", module="Net", output=statistics(minimum=0.0), inputs=[masked])
    assert _fit(record).verdict == "with-modules-kept"


def test_what_overflows_outside_of_modules_stays_in_float32_as_losses_do(tmp_path):
    record = _record(tmp_path)
    record.step(0)
    record.operation("aten.sum.default", output=statistics(minimum=0.0, maximum=1e6))
    found = _fit(record)
    assert found.keep == () and found.verdict == "with-modules-kept" and "outside of modules" in found.message


def _gradients(record, lowest, counts, count=100, step=0):
    weight = record.parameter("Net.weight", initial=statistics(rms=0.1))
    total = sum(counts)
    largest = 2.0 ** (lowest + len(counts) - 1)
    held = statistics(count=total, minimum=-largest, maximum=largest, smallest_nonzero=2.0**lowest, rms=largest / 4)
    record.gradient(step, weight, held, update_ratio=1e-3)
    record.operation("aten.mm.default", phase="backward", module="Net", output=held)
    record.writer.add("exponents", [(step, weight, lowest, json.dumps(counts), 0)])


def test_a_loss_scale_is_as_high_as_headroom_lets_it_be(tmp_path):
    record = _record(tmp_path)
    record.step(0)
    _gradients(record, -36, [10] * 11)  # from 2^-36 to 2^-26: all of it vanishes
    scale = _fit(record).scale
    assert scale.lost_without == 1.0 and scale.lost_with == 0.0 and scale.works and scale.needed
    # 65504 / 8 / 2^-26 = 2^38.99…
    assert scale.scale == 2.0**38


def test_gradients_over_more_binades_than_the_format_has_are_told(tmp_path):
    record = _record(tmp_path)
    record.step(0)
    _gradients(record, -60, [10] * 61)
    found = _fit(record)
    assert found.verdict == "gradients-too-wide" and not found.scale.works
    # In bfloat16 all of it fits.
    record = _record(tmp_path)
    record.step(0)
    _gradients(record, -60, [10] * 61)
    assert _fit(record, "bfloat16").verdict == "fits"


@pytest.mark.parametrize(("ratio", "lost"), [(1e-4, True), (1e-2, False)])
def test_updates_below_the_resolution_of_bfloat16(tmp_path, ratio, lost):
    record = _record(tmp_path)
    record.step(0)
    weight = record.parameter("Net.weight", initial=statistics(rms=0.1))
    record.gradient(0, weight, statistics(rms=1.0), update_ratio=ratio)
    found = _fit(record, "bfloat16")
    assert found.parameters[0].updates_lost is lost
    assert any("would be lost" in note for note in found.notes) is lost


def test_adams_second_moment_is_told_for_adam_alone(tmp_path):
    for name, told in (("AdamW", True), ("SGD", False)):
        record = _record(tmp_path)
        record.step(0)
        more = {"betas": [0.9, 0.999], "eps": 1e-8} if told else {}
        record.event("optimizer", **{"class": name, "lr": 1e-3, **more})
        weight = record.parameter("Net.weight", initial=statistics(rms=0.1))
        record.gradient(0, weight, statistics(rms=1e-3))
        assert any("second moment" in note for note in _fit(record).notes) is told


def test_weights_that_do_not_fit_are_named(tmp_path):
    record = _record(tmp_path)
    record.step(0)
    record.parameter("Net.table", initial=statistics(minimum=-1e5, maximum=1e5))
    assert any("Net.table" in note for note in _fit(record).notes)
    record = _record(tmp_path)
    record.step(0)
    record.parameter("Net.table", initial=statistics(minimum=-6e4, maximum=6e4))
    assert not _fit(record).notes


def test_an_empty_record_fits(tmp_path):
    found = _fit(_record(tmp_path))
    assert found.verdict == "fits" and found.looked_at == 0 and found.scale is None
