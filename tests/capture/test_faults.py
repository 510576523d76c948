"""A fault of ours, wherever it shows, ends the recording and never the program; hooks and modes are put back."""

from __future__ import annotations

import sqlite3
import threading
import warnings

import pytest

torch = pytest.importorskip("torch")

from torch.nn.modules import module as torch_module  # noqa: E402
from torch.utils import _python_dispatch  # noqa: E402

import wellposed  # noqa: E402
from tests.capture.recording import LEVELS, recorded  # noqa: E402
from wellposed.capture import device_readings, session, stretches, trouble  # noqa: E402
from wellposed.capture.alarm import Alarm  # noqa: E402
from wellposed.capture.budget import Budget  # noqa: E402
from wellposed.capture.modules import Modules  # noqa: E402
from wellposed.capture.operators import Operators  # noqa: E402
from wellposed.capture.parameters import Parameters  # noqa: E402
from wellposed.capture.sites import Sites  # noqa: E402
from wellposed.capture.updates import Updates  # noqa: E402
from wellposed.record import Record, RecordWriter  # noqa: E402

FAULTS = {
    "the user's line": (Sites, "here"),
    "the caller of backward": (Sites, "user_frame"),
    "an operator's description": (Operators, "describe"),
    "a module's number": (Modules, "_number"),
    "statistics of a tensor": (device_readings, "statistics_row"),
    "a module's making": (Modules, "_remember_making"),
    "a parameter's start": (Parameters, "track"),
    "the gradients": (Updates, "before"),
    "the updates": (Updates, "after"),
    "an alarm": (Alarm, "suspicious"),
    "a probe": (trouble, "probe"),
    "the graph": (session, "find_in_graph"),
    "the choice of a level": (Budget, "level"),
    "what was learnt": (Budget, "learn"),
    "arguments": (stretches, "_with_arguments"),
    "the writer": (RecordWriter, "add"),
    "the disk": (RecordWriter, "commit"),
}


def _train() -> list[float]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    x = torch.randn(16, 4)
    losses = []
    for step in range(8):
        with torch.no_grad():
            model(x)
        loss = model(x).pow(2).mean() + (torch.zeros(2).log().sum() if step == 6 else 0.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    torch.compile(model)
    return losses


def _hooks():
    return (
        len(torch_module._global_forward_hooks),
        len(torch_module._global_forward_pre_hooks),
        len(torch_module._global_parameter_registration_hooks),
        torch.autograd.backward,
        torch.compile,
        _python_dispatch._get_current_dispatch_mode(),
    )


def _broken(*_args, **_kwargs):
    raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("level", ["full", "check", "modules", "off"])
@pytest.mark.parametrize("fault", FAULTS)
def test_the_program_runs_on_and_all_is_put_back(tmp_path, monkeypatch, fault, level):
    plain, before = _train(), _hooks()
    recording = recorded(tmp_path / "r.wellposed", LEVELS[level])
    with warnings.catch_warnings(), recording:
        warnings.simplefilter("ignore")
        monkeypatch.setattr(*FAULTS[fault], _broken)
        assert _train() == plain
        monkeypatch.undo()
    assert _hooks() == before


def test_a_fault_is_told_in_the_record_and_in_the_report(tmp_path, monkeypatch):
    with recorded(tmp_path / "r.wellposed"):
        monkeypatch.setattr(Updates, "before", _broken)
        _train()
    with Record(tmp_path / "r.wellposed") as record:
        (event,) = record.events("recorder-failed")
        assert event.step == 0
        assert "disk is full" in event.details["error"]


def test_a_record_that_cannot_be_closed_is_a_warning_of_watch(tmp_path, monkeypatch):
    with pytest.warns(RuntimeWarning, match="disk is full"), wellposed.watch(path=tmp_path / "w.wellposed"):
        _train()
        monkeypatch.setattr(RecordWriter, "close", _broken)


def test_work_of_ours_in_two_threads_at_once_leaves_the_recorder_awake(tmp_path):
    with recorded(tmp_path / "r.wellposed") as recording:
        own_work = recording._session._overhead.own_work
        first_is_in, second_is_in = threading.Event(), threading.Event()

        def first():
            with own_work():
                first_is_in.set()
                second_is_in.wait(10)

        def second():
            first_is_in.wait(10)
            with own_work():
                second_is_in.set()
                threads[0].join(10)

        threads = [threading.Thread(target=each) for each in (first, second)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        torch.ones(2).exp()
    with Record(tmp_path / "r.wellposed") as record:
        assert list(record.operations("exp"))
