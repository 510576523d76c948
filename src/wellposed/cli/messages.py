"""How a verb says that it cannot go on: one sentence on stderr, exit code 2."""

from __future__ import annotations

import sys

from wellposed.report.text import MESSAGE_LIMIT, plain

USAGE_ERROR = 2


def fail(message: object) -> int:
    """Print one line on stderr, whatever the message holds; gives the exit code."""
    text = f"wellposed: {plain(str(message), MESSAGE_LIMIT)}\n"
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
    return USAGE_ERROR
