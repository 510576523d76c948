"""What is written is read back; what is in the way is not overwritten silently."""

from __future__ import annotations

import math
import os
import sqlite3
import sys

import pytest

from tests.records import RecordBuilder, statistics
from wellposed.record import Record, RecordExistsError, RecordWriter, operator_base


def test_operations_come_back_with_operands_in_order(tmp_path):
    with RecordBuilder(tmp_path / "r.wellposed") as builder:
        builder.step(0, loss=2.5)
        first = builder.operation("aten.exp.default", line=3, output=statistics(maximum=9.0), module="Net.layer")
        second = builder.operation(
            "aten.sum.dim_IntList", line=4, inputs=[first], arguments={"dim": [1], "keepdim": True}
        )
    with Record(tmp_path / "r.wellposed") as record:
        exp, total = record.operations()
        assert (exp.id, exp.operator, exp.base, exp.site.line, exp.module) == (
            first,
            "aten.exp.default",
            "exp",
            3,
            "Net.layer",
        )
        assert exp.output.statistics.maximum == 9.0
        assert [each.producer for each in total.inputs] == [first]
        assert total.arguments == {"dim": [1], "keepdim": True}
        assert [each.id for each in record.consumers(first)] == [second]
        assert record.operation(99) is None


def test_operations_are_filtered_by_base_name_phase_step_and_nonfinite(tmp_path):
    with RecordBuilder(tmp_path / "r.wellposed") as builder:
        builder.operation("aten.log.default", step=0)
        builder.operation("aten.log_.default", step=1)
        builder.operation("aten.log2.default", step=1, phase="backward", output=statistics(nan=2))
    with Record(tmp_path / "r.wellposed") as record:
        assert [each.id for each in record.operations("log")] == [1, 2]
        assert [each.id for each in record.operations(step=1)] == [2, 3]
        assert [each.id for each in record.operations(phase="backward")] == [3]
        assert [each.id for each in record.operations(nonfinite=True)] == [3]
        assert [each.id for each in record.operations(first=2, last=2)] == [2]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf, 1.5, None])
def test_a_loss_that_is_not_a_number_is_told_from_no_loss(tmp_path, loss):
    with RecordBuilder(tmp_path / "r.wellposed") as builder:
        builder.step(0, loss=loss)
    with Record(tmp_path / "r.wellposed") as record:
        read = record.steps()[0].loss
    assert read is None if loss is None else (math.isnan(read) if math.isnan(loss) else read == loss)


def test_a_record_of_the_same_script_is_replaced_and_one_of_another_is_not(tmp_path):
    path = tmp_path / "r.wellposed"
    RecordWriter(path, meta={"script": "a.py"}).close()
    RecordWriter(path, meta={"script": "a.py"}).close()
    with pytest.raises(RecordExistsError, match="--force"):
        RecordWriter(path, meta={"script": "b.py"})
    RecordWriter(path, meta={"script": "b.py"}, force=True).close()


def test_a_file_that_is_no_record_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("do not lose me")
    with pytest.raises(RecordExistsError):
        RecordWriter(path, meta={"script": "a.py"})
    assert path.read_text() == "do not lose me"


def test_what_is_committed_is_readable_while_the_writer_is_open(tmp_path):
    writer = RecordWriter(tmp_path / "r.wellposed", meta={"script": "a.py"})
    writer.add("operator", [(1, "aten.exp.default")])
    writer.add("event", [(1, 0, "optimizer", None, "{}")])
    with Record(tmp_path / "r.wellposed") as record:
        assert record.events() == []
        writer.commit()
        assert [each.kind for each in record.events()] == ["optimizer"]
    writer.close()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["r.wellposed"]


def test_beyond_the_size_limit_rows_of_operations_are_dropped_and_steps_kept(tmp_path):
    writer = RecordWriter(tmp_path / "r.wellposed", meta={"script": "a.py"}, max_bytes=200_000)
    for step in range(200):
        rows = [(step * 100 + n, step, 0, 0, 1, None, None, 0.0, None, 0, 0, 0, "x" * 50) for n in range(100)]
        writer.add("operation", rows)
        writer.add("step", [(step, "full", 1.0, *(None,) * 5, 0, *(None,) * 6)])
        writer.commit()
    assert writer.full
    assert writer.bytes_used() < 400_000
    writer.close()
    with Record(tmp_path / "r.wellposed") as record:
        assert len(record.steps()) == 200
        assert record.meta["size_limit_reached"] is True


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork on Windows")
def test_a_forked_child_does_not_write(tmp_path):
    writer = RecordWriter(tmp_path / "r.wellposed", meta={"script": "a.py"})
    child = os.fork()
    if child == 0:
        writer.add("event", [(1, 0, "child", None, "{}")])
        writer.commit()
        writer.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    writer.add("event", [(2, 0, "parent", None, "{}")])
    writer.close()
    with Record(tmp_path / "r.wellposed") as record:
        assert [each.kind for each in record.events()] == ["parent"]


def test_the_file_says_what_it_is(tmp_path):
    RecordWriter(tmp_path / "r.wellposed", meta={"script": "a.py"}).close()
    connection = sqlite3.connect(tmp_path / "r.wellposed")
    assert connection.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"well"
    connection.close()


@pytest.mark.parametrize(
    ("operator", "base"),
    [("aten.log_.default", "log"), ("aten._softmax.default", "_softmax"), ("aten.exp", "exp"), ("relu", "relu")],
)
def test_the_base_name_of_an_operator(operator, base):
    assert operator_base(operator) == base
