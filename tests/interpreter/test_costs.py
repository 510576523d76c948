"""The face: what costs() returns, refuses, and leaves as it was."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import wellposed
from wellposed import _native
from wellposed.interpreter import SamplingError

pytestmark = pytest.mark.skipif(not _native.SAMPLER, reason="no sampler on this platform")


def burn(seconds: float) -> float:
    end, total = time.thread_time() + seconds, 0.0
    while time.thread_time() < end:
        for i in range(1000):
            total += i * 0.5
    return total


def test_shares_add_up_and_lie_in_their_intervals() -> None:
    costs = wellposed.costs(burn, 0.5)
    assert costs.samples > 50
    assert sum(each.share for each in costs.causes) == pytest.approx(1.0)
    assert all(each.low <= each.share <= each.high for each in costs.causes)


def test_the_line_that_works_is_named() -> None:
    costs = wellposed.costs(burn, 0.5)
    assert costs.lines[0].file == __file__
    assert costs.lines[0].source in ("total += i * 0.5", "for i in range(1000):")
    assert costs.functions[0].function == "burn"


def test_the_result_and_the_random_state_are_those_of_an_unobserved_run() -> None:
    random.seed(7)
    expected = [random.random() for _ in range(50_000)]
    random.seed(7)
    assert wellposed.costs(lambda: [random.random() for _ in range(50_000)]).result == expected


def test_an_exception_passes_and_sampling_ends() -> None:
    with pytest.raises(ZeroDivisionError):
        wellposed.costs(lambda: 1 / 0)
    assert not _native.sampler_is_running()


def test_two_observations_at_a_time_are_refused_in_one_sentence() -> None:
    with wellposed.costs(), pytest.raises(SamplingError, match="already"), wellposed.costs():
        pass


def test_another_profiler_is_told() -> None:
    code = (
        "import signal, wellposed\n"
        "signal.signal(signal.SIGPROF, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_PROF, 100)\n"
        "try:\n    wellposed.costs(print)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("SamplingError another profiler")


def test_a_handler_that_was_there_is_called_for_signals_of_others_and_is_there_afterwards() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGPROF, lambda number, _: seen.append(number))
    try:
        with wellposed.costs():
            signal.raise_signal(signal.SIGPROF)
        signal.raise_signal(signal.SIGPROF)
    finally:
        signal.signal(signal.SIGPROF, before if before is not None else signal.SIG_DFL)
    assert len(seen) == 2


def test_misuse_is_refused() -> None:
    with pytest.raises(TypeError, match="function to call"):
        wellposed.costs(3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="repeat"):
        wellposed.costs(burn, 0, repeat=0)


@pytest.mark.parametrize("rate", [0, -5, 1e9])
def test_an_impossible_rate_is_refused(rate: float) -> None:
    with pytest.raises(SamplingError, match="rate"):
        wellposed.costs(burn, 0.0, rate=rate)


def test_sleep_is_not_interrupted_and_not_charged() -> None:
    costs = wellposed.costs(time.sleep, 0.3)
    assert costs.wall_seconds >= 0.3
    assert costs.cpu_seconds < 0.2


def test_waiting_for_the_interpreter_is_told_from_sleeping() -> None:
    """Two threads compete for the interpreter's lock; a third sleeps."""
    if getattr(sys, "_is_gil_enabled", lambda: True)() is False:
        pytest.skip("this interpreter has no lock")
    threads = [threading.Thread(target=burn, args=(0.6,), name=f"busy{i}") for i in range(2)]
    threads.append(threading.Thread(target=time.sleep, args=(0.6,), name="asleep"))
    done = threading.Event()
    threads.append(threading.Thread(target=done.wait, name="waits"))
    with wellposed.costs() as costs:
        for each in threads:
            each.start()
        for each in threads[:3]:
            each.join()
    done.set()
    threads[3].join()
    assert sum(each.interpreter_wait for each in costs.threads) > 0.1
    waits = [each for each in costs.threads if each.name in ("waits", "MainThread")]
    assert all(each.interpreter_wait < 0.5 * each.blocked for each in waits if each.blocked > 0.2)


def test_a_forked_child_ends_the_block_in_peace() -> None:
    code = (
        "import os, sys, wellposed\n"
        "with wellposed.costs() as costs:\n    child = os.fork()\n    sum(range(3_000_000))\n"
        "if child == 0:\n    os._exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), costs.samples >= 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["7", "True"], done.stderr


def test_text_and_json_tell_the_same(tmp_path: Path) -> None:
    costs = wellposed.costs(burn, 0.3)
    data = json.loads(json.dumps(costs.to_json()))
    assert data["schema"] == "wellposed-python/1"
    assert data["causes"][0]["name"] == costs.first
    assert costs.first in str(costs)
    assert costs.tier in str(costs)


def test_before_the_block_ends_there_is_nothing_to_tell() -> None:
    with wellposed.costs() as costs:
        assert "nothing was sampled" in str(costs)
