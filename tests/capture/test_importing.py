"""The import hook: called back once, at the right moment, leaving the import system as it was."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wellposed.capture.importing import when_imported

NAME = "imported_by_this_test"


@pytest.fixture(autouse=True)
def module_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = tmp_path / f"{NAME}.py"
    file.write_text("VALUE = 1\nLOADER = __loader__\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield file
    sys.modules.pop(NAME, None)


def test_called_back_once_after_the_module_was_executed() -> None:
    before = list(sys.meta_path)
    values: list[int] = []
    when_imported(NAME, lambda: values.append(sys.modules[NAME].VALUE))
    assert values == []

    module = importlib.import_module(NAME)
    importlib.reload(module)

    assert values == [1]
    assert sys.meta_path == before
    assert "exec_module" not in vars(module.__loader__)
    assert module.__spec__ is not None and module.__spec__.loader is module.__loader__ is module.LOADER


def test_called_back_at_once_where_it_is_imported_already() -> None:
    importlib.import_module(NAME)
    before = list(sys.meta_path)
    calls: list[int] = []
    when_imported(NAME, lambda: calls.append(1))
    assert (calls, sys.meta_path) == ([1], before)


def test_looking_for_the_module_is_no_import() -> None:
    calls: list[int] = []
    when_imported(NAME, lambda: calls.append(1))
    assert importlib.util.find_spec(NAME) is not None
    assert calls == []
    importlib.import_module(NAME)
    assert calls == [1]


def test_a_lazy_loader_counts_when_it_loads() -> None:
    calls: list[int] = []
    when_imported(NAME, lambda: calls.append(1))
    spec = importlib.util.find_spec(NAME)
    assert spec is not None and spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    assert calls == []
    assert module.VALUE == 1
    assert calls == [1]


def test_an_import_that_fails_leaves_it_armed(module_file: Path) -> None:
    calls: list[int] = []
    when_imported(NAME, lambda: calls.append(1))
    good = module_file.read_text()
    module_file.write_text("raise RuntimeError('not today')\n")
    with pytest.raises(RuntimeError, match="not today"):
        importlib.import_module(NAME)
    assert calls == []
    module_file.write_text(good)
    importlib.invalidate_caches()
    importlib.import_module(NAME)
    assert calls == [1]


def test_disarmed_it_never_calls() -> None:
    before = list(sys.meta_path)
    calls: list[int] = []
    disarm = when_imported(NAME, lambda: calls.append(1))
    disarm()
    assert sys.meta_path == before
    importlib.import_module(NAME)
    assert calls == []


def test_two_watchers_of_one_module() -> None:
    before = list(sys.meta_path)
    calls: list[str] = []
    when_imported(NAME, lambda: calls.append("first"))
    when_imported(NAME, lambda: calls.append("second"))
    importlib.import_module(NAME)
    assert sorted(calls) == ["first", "second"]
    assert sys.meta_path == before


def test_a_callback_that_fails_is_not_the_programs_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError("no room")

    when_imported(NAME, fail)
    assert importlib.import_module(NAME).VALUE == 1
    assert capsys.readouterr().err == (f"wellposed: cannot watch {NAME} (ValueError: no room); it goes unrecorded\n")


def test_a_missing_module_is_missing_as_before() -> None:
    disarm = when_imported("surely_no_such_module", lambda: None)
    with pytest.raises(ModuleNotFoundError, match="No module named 'surely_no_such_module'"):
        importlib.import_module("surely_no_such_module")
    disarm()
