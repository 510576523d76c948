"""wellposed itself, by its command and its JSON."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.labels import CAUSES as COMPARED
from benchmarks.peers.messages import Answer, Message

NAME = "wellposed"
DISTRIBUTION = "wellposed"
HOW = "`wellposed run --json FILE program.py`; only the verdict counts, advice does not."
STRICT = True

CAUSES = {cause: (cause,) for cause in COMPARED}


def command(program: Path, out: Path) -> list[str]:
    return [executable(), "run", "--force", "--json", str(out), str(program)]


def executable() -> str:
    """`$WELLPOSED`, or the command beside this interpreter, or the one on the path."""
    beside = Path(sys.executable).with_name("wellposed")
    return os.environ.get("WELLPOSED") or (str(beside) if beside.exists() else shutil.which("wellposed") or "wellposed")


def read(data: dict[str, Any], seconds: float, output: str) -> Answer:
    ended = data["program"]["error"]
    if not data["run"]["operations"]:
        ended = "nothing was recorded: " + output.strip()[-300:]
    roots = [finding for finding in data["findings"] if finding["role"] == "root"]
    return Answer(
        tuple(message(root) for root in roots), bool(data["run"]["operations"]), ended, seconds, output[-4000:]
    )


def message(root: dict[str, Any]) -> Message:
    where = root["where"]
    text = f"{root['rule']} at line {where.get('line')}: {root['message']}"
    return Message(root["cause"], text, line=where.get("line"), module=where.get("module") or None)
