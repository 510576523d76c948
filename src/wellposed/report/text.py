"""Words and numbers made fit to be read: untrusted text loses its control characters, numbers their noise."""

from __future__ import annotations

import ast
import math
import textwrap
import unicodedata
import warnings

NAME_LIMIT = 300
"""Characters of a file, module or operator name that are shown; a longer one is no name but an attack or a fault."""
MESSAGE_LIMIT = 4000
_CODE_LIMIT = 8000


def plain(text: str, limit: int = NAME_LIMIT) -> str:
    """One line that is safe on a terminal and in a page.

    Escape sequences, line breaks, bidirectional overrides and lone surrogates are shown as ``\\x1b``, not obeyed.
    """
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}…{text[-half:]}"
    return text if text.isprintable() else "".join(map(_visible, text))


def plain_lines(text: str, limit: int = MESSAGE_LIMIT) -> list[str]:
    """As `plain`, line by line, with tabs expanded."""
    return [plain(line.expandtabs(4), limit) for line in text[: limit * 4].split("\n")]


def gist(text: str, most: int) -> str:
    """The beginning of a message, cut where a clause ends, or else a word, and marked with an ellipsis."""
    if len(text) <= most:
        return text
    head = text[:most]
    ends = [at for mark in (". ", ": ", "; ", ", ") if (at := head.rfind(mark)) >= most // 3]
    cut = max(ends, default=-1)
    if cut < 0:
        cut = head.rfind(" ") if " " in head[most // 2 :] else most
    kept = text[:cut].rstrip(" `")
    # What began as code ends as code.
    return f"{kept}` …" if kept.count("`") % 2 else f"{kept} …"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def human(value: object, unit: str = "") -> str:
    """A measured value as people write it: ``65,504``, ``0.0213``, ``1.2e-9``, ``nan``; with its unit behind."""
    return f"{_bare(value)} {plain(unit)}" if unit else _bare(value)


def _bare(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**15 else scientific(float(value) if abs(value) < 10**300 else math.inf)
    if not isinstance(value, float):
        return plain(str(value))
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
    magnitude = abs(value)
    if value == int(value) and magnitude < 1e6:
        return f"{int(value):,}"
    if 1e-3 <= magnitude < 1e5:
        return f"{float(f'{value:.4g}'):,.10g}"
    return scientific(value)


def scientific(value: float) -> str:
    """Three significant digits and a short exponent: ``1.2e-9``, ``6.02e23``."""
    if not math.isfinite(value):
        return _bare(value)
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    digits = mantissa.rstrip("0").rstrip(".")
    return f"{digits}e{int(exponent)}"


def duration(seconds: float | None) -> str:
    """A stretch of time: ``34 µs``, ``812 ms``, ``9.1 s``, ``2 min 3 s``, ``1 h 5 min``."""
    if seconds is None or not math.isfinite(seconds):
        return "an unknown time"
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (0.0995, 1e3, "ms"), (9.95, 1.0, "s")):
        if 0 < seconds < limit:
            scaled = seconds * factor
            return f"{scaled:.2g} {unit}" if scaled < 9.95 else f"{scaled:.0f} {unit}"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600):,} h {int(seconds % 3600 // 60)} min"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """``1 step``, ``48,211 steps``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """``0 %``, ``< 0.1 %``, ``3.2 %``, ``47 %``, ``> 99.9 %``."""
    if not 0 < share < 1:
        return f"{100 * share:.0f} %"
    if share < 0.001:
        return "< 0.1 %"
    if share > 0.999:
        return "> 99.9 %"
    return f"{100 * share:.1f} %" if share < 0.1 or share > 0.99 else f"{100 * share:.0f} %"


def is_code(text: str) -> bool:
    """Whether this is Python rather than a sentence: it parses, and is more than one bare word."""
    candidate = textwrap.dedent(text).strip()
    if not candidate or candidate.isidentifier() or len(candidate) > _CODE_LIMIT:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(candidate)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
