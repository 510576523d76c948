"""What computes nothing is no row."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tests.capture.recording import recorded  # noqa: E402
from wellposed.record import Record  # noqa: E402


def test_marks_for_a_profiler_are_no_operators(tmp_path):
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)  # its step() is marked
    with recorded(tmp_path / "r.wellposed"):
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
    with Record(tmp_path / "r.wellposed") as record:
        names = [each.operator for each in record.operations()]
        assert not record.events("recorder-failed")
    assert "aten.addmm.default" in names
    assert not [name for name in names if name.startswith("profiler.")]
