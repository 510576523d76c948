"""A real recording: the formula that an operation ends, and the user's line for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import wellposed
from tests.records import RecordBuilder
from wellposed.record import Record
from wellposed.rules.rewriting import rewrites_at, rewrites_on_line

torch = pytest.importorskip("torch")

PROGRAM = """\
import torch

x = torch.rand(8, 3) + 300
variance = (x ** 2).mean() - x.mean() ** 2
logits = torch.randn(4, 5)
log_probabilities = torch.log(1 - torch.sigmoid(logits))
unit = x / x.norm()
fine = torch.log_softmax(logits, -1) - x.mean()
lone = torch.exp(logits).clamp(max=3.0) - 2
"""


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "program.py").write_text(PROGRAM)
    ended = wellposed(folder, "run", "-o", "program.wellposed", "program.py")
    assert ended.code == 0, ended.stderr
    return Record(folder / "program.wellposed")


def _found(record: Record, line: int) -> set[str]:
    on_line = [each for each in record.operations() if each.site and each.site.line == line]
    assert on_line
    return {found[0].rewrite.name for each in on_line if (found := rewrites_at(record, each))}


@pytest.mark.parametrize(
    ("line", "name"), [(4, "variance-by-moments"), (6, "log-of-one-minus-sigmoid"), (7, "unit-vector")]
)
def test_recorded_operations_are_matched(record: Record, line: int, name: str) -> None:
    assert name in _found(record, line)


@pytest.mark.parametrize("line", [8, 9])
def test_near_misses_are_not(record: Record, line: int) -> None:
    assert not _found(record, line) - {"exponential-in-half-precision"}


def test_the_users_names_are_known_from_the_line(record: Record) -> None:
    last = [each for each in record.operations() if each.site and each.site.line == 6][-1]
    (found,) = [f for f in rewrites_on_line(record, last) if f.match.rewrite.name == "log-of-one-minus-sigmoid"]
    assert found.names == {"x": "logits"}


def test_no_source_gives_none(tmp_path: Path) -> None:
    with RecordBuilder(tmp_path / "a.wellposed") as built:
        built.operation("aten.log.default")
    made = Record(tmp_path / "a.wellposed")
    assert [rewrites_on_line(made, each) for each in made.operations()] == [[]]
