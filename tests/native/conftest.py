"""Every test that asks for ``kernels`` runs once with each set of kernels that this processor can run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wellposed import _native


@pytest.fixture(params=_native.instruction_sets())
def kernels(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the instruction set in use for the test."""
    before = _native.instruction_set()
    _native.use_instruction_set(request.param)
    yield request.param
    _native.use_instruction_set(before)
