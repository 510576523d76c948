"""What the page is drawn from: curves, maps, rows."""

from __future__ import annotations

import math

from tests.records import RecordBuilder, statistics
from tests.report.conftest import BROKEN_AT
from wellposed.findings import Finding, Location
from wellposed.record import Record
from wellposed.report.curves import lines, thinned
from wellposed.report.html import prose
from wellposed.report.merge import merge
from wellposed.report.operations import chosen, operations_table
from wellposed.report.sources import annotated_sources


def test_curves_have_gaps_where_values_are_not_finite_and_name_the_first(broken):
    loss, gradient, *others = lines(broken[0][0].steps())

    assert (loss["title"], loss["broken"], loss["broken_text"]) == ("loss", BROKEN_AT + 1, "NaN")
    assert loss["values"][BROKEN_AT + 1 :] == [None] * 27
    assert (gradient["title"], gradient["broken"], gradient["logarithmic"]) == ("gradient norm", BROKEN_AT, True)
    assert others == []  # a learning rate that never changes is no curve


def test_long_curves_are_thinned_and_keep_their_spikes():
    points = [(n, 1.0) for n in range(100_000)]
    points[54_321] = (54_321, 1e9)
    points[77_777] = (77_777, math.nan)

    kept = thinned(points, 500)

    assert len(kept) <= 500
    assert (54_321, 1e9) in kept
    assert any(math.isnan(value) for _, value in kept)
    assert [step for step, _ in kept] == sorted(step for step, _ in kept)


def test_a_sentence_shows_its_code_and_escapes_it():
    assert prose("use `a < b` here") == "use <code>a &lt; b</code> here"
    assert prose("an odd ` tick & more") == "an odd ` tick &amp; more"


def test_too_many_operations_keep_those_around_trouble(tmp_path):
    with RecordBuilder(tmp_path / "long.wellposed") as record:
        for n in range(3000):
            record.operation("aten.mul.Tensor", output=statistics(nan=int(n == 2500)))
    record = Record(tmp_path / "long.wellposed")
    finding = Finding("a-rule", "N999", "bad-data", "error", Location(), "Wrong.", operations=(2000,))

    kept = [operation.id for operation in chosen(record, [finding], 3000, most=600)]

    assert len(kept) == 600
    assert kept == sorted(kept)
    assert set(range(1850, 2151)) <= set(kept)
    assert 2501 in kept
    assert set(range(1, 200)) <= set(kept)


def test_rows_are_numbers_and_words(broken):
    table = operations_table(broken[0][0], broken[0][1].findings)
    first = dict(zip(table["columns"], table["rows"][0], strict=True))

    assert (first["operation"], first["step"], first["rms"]) == (1, 0, 0.6)
    assert table["words"][first["operator"]] == "aten.addmm.default"
    assert table["words"][first["where"]] == "train.py:27"
    assert table["words"][first["shape"]] == "32×64"
    assert table["total"] == len(table["rows"])
    assert table["troubled"] == [60]


def test_sources_have_findings_beside_their_lines(broken):
    (file,) = annotated_sources(broken, merge(broken))
    noted = {line.number: [note.rule for note in line.notes] for line in file.lines if line.notes}

    assert file.name == "train.py"
    assert noted == {
        15: ["sqrt-at-zero"],
        21: ["epsilon-vanishes"],
        27: ["nonfinite-loss"],
        28: ["nonfinite-gradient"],
        29: ["nonfinite-weight"],
    }
    assert not any(line.gap for line in file.lines)


def test_long_sources_are_shown_around_findings(tmp_path, broken):
    with RecordBuilder(tmp_path / "long.wellposed") as record:
        record.source("train.py", "\n".join(f"line_{n}" for n in range(1, 2001)))
    (file,) = annotated_sources([(Record(tmp_path / "long.wellposed"), broken[0][1])], merge(broken))

    numbers = [line.number for line in file.lines]
    assert numbers == list(range(3, 42))
    assert file.lines[0].gap


def test_ranks_share_the_room_of_the_tables(tmp_path):
    with RecordBuilder(tmp_path / "long.wellposed") as record:
        for _ in range(1000):
            record.operation("aten.mul.Tensor", output=statistics())

    table = operations_table(Record(tmp_path / "long.wellposed"), [], most=300)

    assert (len(table["rows"]), table["total"]) == (300, 1000)
