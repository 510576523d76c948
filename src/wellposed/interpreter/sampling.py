"""Starts and stops the native sampler, and brings what it counted to plain data."""

from __future__ import annotations

import ctypes
import threading
import time
from dataclasses import dataclass, field
from types import CodeType

from wellposed import _native
from wellposed.interpreter.layouts import CODE_TYPE, LayoutError, find_layout
from wellposed.interpreter.mappings import runtime_range

DEFAULT_RATE = 1000.0
HIGHEST_RATE = 10_000.0


class SamplingError(Exception):
    """Costs cannot be observed in this process; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Equal samples, counted together."""

    thread: int
    address: int
    """Of the machine instruction."""
    opcode: int
    """As it stands in the specialised bytecode; -1 outside Python."""
    collecting: bool
    frames: tuple[tuple[CodeType | None, int], ...]
    """Innermost first, with the byte offset of the bytecode instruction; at most eight."""
    signals: int
    weight: int
    """Periods of CPU time that the signals stand for."""
    weight_squared: int


@dataclass(frozen=True, slots=True)
class ThreadTimes:
    """How a thread spent its time while it was observed, in seconds, and how often it was seen waiting."""

    name: str
    wall: float
    cpu: float
    queued: float
    """Ready to run, waiting for a processor."""
    seen_waiting_for_interpreter: int
    seen_blocked: int
    """Blocked by anything else: input, a lock, sleep."""
    dropped: int
    is_python: bool = False

    @property
    def blocked(self) -> float:
        return max(0.0, self.wall - self.cpu - self.queued)

    @property
    def interpreter_wait(self) -> float:
        """Seconds waiting for the interpreter's lock (GIL): the part of `blocked` in which it was seen doing so."""
        seen = self.seen_waiting_for_interpreter + self.seen_blocked
        return self.blocked * self.seen_waiting_for_interpreter / seen if seen else 0.0


@dataclass(slots=True)
class Samples:
    """Everything that was sampled between start and stop."""

    rows: list[Counted] = field(default_factory=list)
    threads: dict[int, ThreadTimes] = field(default_factory=dict)
    wall: float = 0.0
    rate: float = DEFAULT_RATE
    lost: int = 0
    displaced: bool = False
    frames_known: bool = True
    """Whether the running bytecode could be seen; else only machine code was."""
    why_not: str = ""


class Sampling:
    """One stretch of time in which every thread of this process is sampled, `rate` times a second of its CPU time."""

    def __init__(self, rate: float = DEFAULT_RATE) -> None:
        if not 1 <= rate <= HIGHEST_RATE:
            raise SamplingError(f"the rate must be from 1 to {HIGHEST_RATE:.0f} samples a second; not {rate:g}")
        self._samples = Samples(rate=rate)
        self._names: dict[int, str] = {}

    def start(self) -> None:
        """Raises SamplingError where this process cannot be sampled."""
        if not _native.SAMPLER:
            raise SamplingError("the costs of Python can be sampled on 64-bit Linux only")
        layout = None
        try:
            layout = find_layout()
            self._samples.why_not = "" if layout else "no table of frames for this version of Python"
        except LayoutError as error:
            self._samples.why_not = str(error)
        self._samples.frames_known = layout is not None
        begin, end = runtime_range()
        self._sampler = _native.Sampler(layout, CODE_TYPE, self._samples.rate, begin, end)
        self._began = time.perf_counter()
        try:
            self._sampler.start(layout, CODE_TYPE)
        except RuntimeError as error:
            raise SamplingError(str(error)) from None

    def stop(self) -> Samples:
        """What was sampled; the samples hold the code objects that they name."""
        samples = self._samples
        samples.wall = time.perf_counter() - self._began
        self._sampler.stop()
        codes: dict[int, CodeType] = dict(_native.Sampler.take_held())
        samples.rows = [
            Counted(
                thread, address, opcode, collecting, tuple((codes.get(at), offset) for at, offset in frames), *counts
            )
            for thread, address, opcode, collecting, frames, *counts in self._sampler.counted()
        ]
        samples.lost, samples.displaced = self._sampler.lost, self._sampler.displaced
        python = {row.thread for row in samples.rows if row.frames}
        names = {each.native_id: each.name for each in threading.enumerate()}
        for (
            thread,
            name,
            wall,
            cpu,
            queued,
            cpu_end,
            queued_end,
            _,
            waiting,
            blocked,
            dropped,
        ) in self._sampler.threads():
            samples.threads[thread] = ThreadTimes(
                names.get(thread) or name,
                wall / 1e9,
                max(0, cpu_end - cpu) / 1e9,
                max(0, queued_end - queued) / 1e9,
                waiting,
                blocked,
                dropped,
                thread in python or thread in names,
            )
        del self._sampler
        return samples


def read_memory(address: int, size: int) -> bytes:
    """Bytes of this process, fewer or none where they are not mapped. Never faults."""
    try:
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(ctypes.c_uint64(address).value)
            return memory.read(size) or b""
    except (OSError, ValueError, OverflowError):
        return b""
