"""The intended cause comes first on programs whose chief cost is known."""

from __future__ import annotations

import time

import pytest

import wellposed
from tests.interpreter.kernels import KERNELS
from wellposed import _native
from wellposed.interpreter.costs import SYMBOLS, Costs

pytestmark = pytest.mark.skipif(not _native.SAMPLER, reason="no sampler on this platform")

_CPU_SECONDS = 1.0
_MOST_WRONG = 1


def observe(kernel: object) -> Costs:
    """`kernel` until it took enough CPU time for a few hundred samples, however busy the machine is."""
    assert callable(kernel)
    kernel()
    with wellposed.costs() as costs:
        end = time.thread_time() + _CPU_SECONDS
        while time.thread_time() < end:
            kernel()
    return costs


@pytest.mark.slow
def test_the_intended_cause_comes_first() -> None:
    told = {kernel.__name__: (observe(kernel), cause) for kernel, cause in KERNELS.items()}
    if any(costs.tier != SYMBOLS for costs, _ in told.values()):
        pytest.skip("this interpreter is stripped, or its frames are unknown")
    wrong = {
        name: (cause, [(each.name, round(each.share, 2)) for each in costs.causes[:3]])
        for name, (costs, cause) in told.items()
        if costs.first != cause
    }
    assert len(wrong) <= _MOST_WRONG, wrong


def boxed() -> None:
    x = 1 << 20
    for _ in (None,) * 10_000:
        y = x + 1
        y = x + 2
        y = x + 3
        y = x + 4  # noqa: F841


def cached() -> None:
    x = 1
    for _ in (None,) * 10_000:
        y = x + 1
        y = x + 2
        y = x + 3
        y = x + 4  # noqa: F841


def test_small_integers_come_from_a_cache_and_are_not_boxed_again() -> None:
    """Both run the same bytecode; only the large results are allocated and freed."""
    from wellposed.interpreter.causes import BOXING

    assert observe(boxed).share(BOXING) > observe(cached).share(BOXING) + 0.05


def test_collector_turned_off_costs_nothing() -> None:
    import gc

    from tests.interpreter.kernels import cyclic_garbage
    from wellposed.interpreter.causes import COLLECTION

    on = observe(cyclic_garbage).share(COLLECTION)
    gc.disable()
    try:
        off = observe(lambda: [[i] for i in range(1000)]).share(COLLECTION)
    finally:
        gc.enable()
    assert on > 0.3
    assert off < 0.02


def inlined() -> None:
    for _ in (None,) * 10_000:
        pass


def test_calls_disappear_when_they_are_inlined() -> None:
    from tests.interpreter.kernels import small_calls
    from wellposed.interpreter.causes import CALLS

    called, without = observe(small_calls), observe(inlined)
    assert called.share(CALLS) > 0.25
    assert called.calls_range[0] <= called.share(CALLS) <= called.calls_range[1]
    assert without.share(CALLS) < 0.1
