"""Measures how entries fail and writes it into their tables: ``python -m tests.rewrites.measure [NAME…]``.

For each dtype, bisection finds the t from which fewer than half of the digits are left, and a failing input beyond it
is chosen at which most is lost while the stable form keeps what it promises. Without names, entries with no measurement
are measured. What it wrote is checked by test_entries.py from scratch.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import torch

from tests.rewrites import proving
from wellposed.rewrites import Rewrite, all_rewrites

CATALOGUE = Path(__file__).parents[2] / "src" / "wellposed" / "rewrites" / "catalogue"
_FACTORS = (1.25, 2, 4, 10, 30, 100, 300, 1000)
_MARGINS = (1.05, 1.5, 3.0, 10.0)


def measured(rewrite: Rewrite, dtype: str) -> str | None:
    """The line for one dtype, or None where the form does not fail; complaints go to the standard error."""
    library = next(proving.libraries(rewrite, dtype), None)
    if library is None:
        return None
    if rewrite.t is None:
        return _fixed(rewrite, dtype, library)
    low, high = _within_range(rewrite.t, dtype)
    at_low, at_high = (proving.fails(rewrite, end, dtype, library) for end in (low, high))
    if not at_low and not at_high:
        # Nearer to an end, the input may round to one that is no longer hard: 1 + t to 1.
        grid = [low * (high / low) ** (k / 40) for k in range(41)]
        bad = next((k for k in range(40, -1, -1) if proving.fails(rewrite, grid[k], dtype, library)), None)
        if bad is not None:
            low, high, at_low = grid[bad], grid[bad + 1], True
    if at_low == at_high:
        _complain(rewrite, dtype, f"{'fails' if at_low else 'holds'} at both ends of t")
        return None
    while high / low > 1.001:
        middle = math.sqrt(low) * math.sqrt(high)
        if proving.fails(rewrite, middle, dtype, library) == at_low:
            low = middle
        else:
            high = middle
    limit = float(f"{math.sqrt(low) * math.sqrt(high):.3g}")
    side = "below" if at_low else "above"
    sign = -1 if at_low else 1
    within = next((m for m in _MARGINS if _holds(rewrite, dtype, library, limit, sign, m)), None)
    if within is None:
        _complain(rewrite, dtype, f"no clear limit around {limit}")
        return None
    at = _failing_input(rewrite, dtype, limit, sign)
    if at is None:
        _complain(rewrite, dtype, f"the stable form keeps too little beyond {limit}")
        return None
    return f"{side} = {limit:g}, within = {within:g}, at = {at:g}, loses = {_loses(rewrite, at, dtype):.1f}"


def _within_range(ends: tuple[float, float], dtype: str) -> tuple[float, float]:
    """The part of the range that the dtype holds, with room for a factor of 2."""
    info = torch.finfo(getattr(torch, dtype))
    return max(ends[0], 4 * info.tiny), min(ends[1], info.max / 4)


def _holds(rewrite: Rewrite, dtype: str, library: str, limit: float, sign: int, margin: float) -> bool:
    beyond, before = limit * margin**sign, limit / margin**sign
    return proving.fails(rewrite, beyond, dtype, library) and not proving.fails(rewrite, before, dtype, library)


def _failing_input(rewrite: Rewrite, dtype: str, limit: float, sign: int) -> float | None:
    assert rewrite.t is not None
    best: tuple[float, float] | None = None
    for factor in _FACTORS:
        at = float(f"{limit * factor**sign:.3g}")
        low, high = _within_range(rewrite.t, dtype)
        if not low <= at <= high:
            break
        stable = min(proving.left(rewrite, "stable", at, dtype, each) for each in proving.libraries(rewrite, dtype))
        if stable < proving.keeps(rewrite, dtype):
            continue
        loses = _loses(rewrite, at, dtype)
        if best is None or loses > best[1] + 0.3:
            best = at, loses
    return best[0] if best is not None and best[1] > 0.3 else None


def _loses(rewrite: Rewrite, at: float | None, dtype: str) -> float:
    """What every library loses, rounded down to a tenth."""
    most = max(proving.left(rewrite, "unstable", at, dtype, each) for each in proving.libraries(rewrite, dtype))
    return int((proving.DIGITS[dtype] - most) * 10) / 10


def _fixed(rewrite: Rewrite, dtype: str, library: str) -> str | None:
    if not proving.fails(rewrite, None, dtype, library):
        _complain(rewrite, dtype, "holds at the input")
        return None
    for each in proving.libraries(rewrite, dtype):
        stable = proving.left(rewrite, "stable", None, dtype, each)
        fine = proving.left(rewrite, "unstable", None, dtype, each, fine=True)
        if stable < proving.keeps(rewrite, dtype):
            _complain(rewrite, dtype, f"{each}: the stable form keeps {stable:.2f}")
            return None
        if fine < proving.DIGITS[dtype] / 2:
            _complain(rewrite, dtype, f"{each}: fails at the fine input too")
            return None
    return f"loses = {_loses(rewrite, None, dtype):.1f}"


def _complain(rewrite: Rewrite, dtype: str, words: str) -> None:
    print(f"{rewrite.family} {rewrite.name} {dtype}: {words}", file=sys.stderr)


def write(rewrite: Rewrite, lines: list[str]) -> None:
    """Put the measurement at the end of the entry's table, in place of the one before."""
    file = CATALOGUE / f"{rewrite.family}.toml"
    text = file.read_text("utf-8")
    start = text.index(f"[{rewrite.name}]\n")
    following = re.search(r"^\[", text[start + 1 :], re.MULTILINE)
    end = start + 1 + following.start() if following else len(text)
    kept = [line for line in text[start:end].rstrip().splitlines() if not line.startswith("fails.")]
    block = "\n".join([*kept, *lines]) + "\n" + ("\n" if following else "")
    file.write_text(text[:start] + block + text[end:], "utf-8")


def main(names: list[str]) -> None:
    for rewrite in all_rewrites():
        if rewrite.name in names or (not names and not rewrite.fails) or names == ["all"] or rewrite.family in names:
            try:
                found = {dtype: measured(rewrite, dtype) for dtype in rewrite.dtypes}
            except Exception as error:
                _complain(rewrite, "", f"{type(error).__name__}: {error}")
                continue
            write(rewrite, [f"fails.{dtype} = {{ {line} }}" for dtype, line in found.items() if line])


if __name__ == "__main__":
    main(sys.argv[1:])
