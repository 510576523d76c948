"""The live line: one line, not too often, gone without a trace."""

from __future__ import annotations

import io

from wellposed.cli.live import LiveLine


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_short_run_shows_nothing() -> None:
    clock, stream = Clock(), io.StringIO()
    line = LiveLine(stream, clock)
    clock.now = 2.0
    line.update(5, 0.5, 0, 0.1)
    line.clear()
    assert stream.getvalue() == ""


def test_it_is_rewritten_twice_a_second_at_most() -> None:
    clock, stream = Clock(), io.StringIO()
    line = LiveLine(stream, clock)
    for tick in range(100):
        clock.now = 3.0 + tick / 100
        line.update(tick, 0.25, 0, 0.08)
    assert stream.getvalue() == (
        "\r\x1b[Kwellposed: step 0, loss 0.25, recording +8%\r\r\x1b[Kwellposed: step 50, loss 0.25, recording +8%\r"
    )


def test_trouble_is_counted_and_the_line_fits() -> None:
    clock, stream = Clock(), io.StringIO()
    line = LiveLine(stream, clock)
    clock.now = 9.0
    line.update(12345678, float("nan"), 1, 12.5)
    shown = stream.getvalue()
    assert "step 12,345,678, loss nan, recording +1250%, 1 suspicious value" in shown
    assert len(shown) <= 79 + len("\r\x1b[K\r") and "\n" not in shown
    line.clear()
    clock.now = 20.0
    line.update(12345679, 1.0, 0, 0.1)
    assert stream.getvalue() == shown + "\r\x1b[K"


def test_a_stream_that_is_gone_is_no_trouble() -> None:
    clock, stream = Clock(), io.StringIO()
    line = LiveLine(stream, clock)
    stream.close()
    clock.now = 9.0
    line.update(1, None, 0, 0.0)
    line.clear()
