"""Tables of frames are checked before use, and never believed where the interpreter says otherwise."""

from __future__ import annotations

import sys

import pytest

import wellposed
from tests.interpreter.test_costs import burn
from wellposed import _native
from wellposed.interpreter import layouts
from wellposed.interpreter.costs import MACHINE_CODE

pytestmark = [
    pytest.mark.skipif(not _native.SAMPLER, reason="no sampler on this platform"),
    pytest.mark.skipif(sys.version_info[:2] not in layouts._LAYOUTS, reason="no table for this version"),
]


def test_the_table_of_this_version_is_right() -> None:
    assert layouts.find_layout() is not None


@pytest.mark.parametrize("name", ["frame_code", "frame_instruction", "code_instructions", "interpreter_collecting"])
def test_a_wrong_table_is_noticed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    right = layouts._LAYOUTS[sys.version_info[:2]]
    monkeypatch.setitem(layouts._LAYOUTS, sys.version_info[:2], right | {name: right[name] + 8})
    with pytest.raises(layouts.LayoutError, match="unknown place"):
        layouts.find_layout()


def test_without_a_table_machine_code_alone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "_LAYOUTS", {})
    costs = wellposed.costs(burn, 0.3)
    assert costs.tier == MACHINE_CODE
    assert costs.samples > 20
    assert not costs.lines
    assert any("no table of frames" in each for each in costs.warnings)
