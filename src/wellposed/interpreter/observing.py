"""``wellposed.costs``: observes a call or a ``with`` block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from types import TracebackType
from typing import Any, overload

from wellposed.interpreter.costs import Costs
from wellposed.interpreter.sampling import DEFAULT_RATE, Sampling
from wellposed.interpreter.sizes import sizes_of
from wellposed.interpreter.summing import sum_up


class Observation:
    """A ``with`` block whose costs are observed; ``as`` gives the `Costs`, filled in when the block ends."""

    def __init__(self, rate: float = DEFAULT_RATE) -> None:
        self._sampling = Sampling(rate)
        self.costs = Costs()

    def __enter__(self) -> Costs:
        self._sampling.start()
        return self.costs

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        observed = sum_up(self._sampling.stop())
        observed.sizes = sizes_of(())
        for each in fields(Costs):
            setattr(self.costs, each.name, getattr(observed, each.name))


@overload
def costs(*, rate: float = ...) -> Observation: ...
@overload
def costs(function: Callable[..., Any], /, *args: Any, repeat: int = ..., rate: float = ...) -> Costs: ...


def costs(
    function: Callable[..., Any] | None = None, /, *args: Any, repeat: int = 1, rate: float = DEFAULT_RATE
) -> Costs | Observation:
    """What Python itself costs in ``function(*args)``, or without arguments in a ``with`` block.

    ``wellposed.costs(simulate, 1000)`` calls the function `repeat` times and tells, with 95 % intervals, which share
    of the CPU time went to interpretation, dynamic typing, boxed numbers, reference counting, garbage collection,
    calls and native work, by line and function; `Costs.result` is what the last call returned. ``with
    wellposed.costs() as c:`` fills `c` when the block ends.

    `rate` is the number of samples a second of each thread's CPU time, from 1 to 10 000; the kernel's clock may allow
    fewer (250 with a tick of 4 ms). Threads that wait are not interrupted. Wants 64-bit Linux. Raises SamplingError
    where this process cannot be sampled, TypeError where `function` cannot be called, ValueError where `repeat` is
    below 1, and whatever `function` raises.
    """
    if function is None:
        return Observation(rate)
    if not callable(function):
        raise TypeError(f"costs needs a function to call, or nothing for a with block; not {type(function).__name__}")
    if repeat < 1:
        raise ValueError(f"repeat must be 1 or more; not {repeat}")
    observation = Observation(rate)
    result = None
    with observation as observed:
        for _ in range(repeat):
            result = function(*args)
    observed.result = result
    observed.sizes = sizes_of((*args, result))
    return observed
