"""Hugging Face's detector: raises at the first module whose weights, inputs or outputs hold NaN or infinity."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.peers.messages import Message
from benchmarks.peers.watching import Watch

NAME = "`transformers` `DebugUnderflowOverflow`"
DISTRIBUTION = "transformers"
HOW = "`DebugUnderflowOverflow(model)` before the first forward pass of each model."

CAUSES = {"infs": ("float16-range",)}
"""It tells an overflow from a NaN; overflow of float16 is what it was made for."""

_SEEN = re.compile(r"^(\S+) has (nans|infs)$", re.MULTILINE)
_HEADER = re.compile(r"^ {18}(\S*) (\w+)$", re.MULTILINE)


def install(watch: Watch):
    from transformers.debug_utils import DebugUnderflowOverflow

    detectors: dict[int, Any] = {}

    def put_on(model: Any, optimizer: Any) -> None:
        if id(model) not in detectors:
            detectors[id(model)] = DebugUnderflowOverflow(model)

    watch.on_model(put_on)

    def collect(ended: BaseException | None, printed: str) -> tuple[list[Message], bool]:
        return messages(printed, watch), bool(detectors)

    return collect


def messages(printed: str, watch: Watch) -> list[Message]:
    """What it saw in which module; a module whose input was bad already points at the module around it as well."""
    before, detected, after = printed.partition("\nDetected inf/nan during batch_number=")
    seen = _SEEN.findall(before)
    headers = _HEADER.findall(after.partition("\n\n\n\n")[0])
    if not detected or not headers:
        return []
    name, module_class = headers[-1]
    said = [f"{what} has {value}" for what, value in seen]
    module = f"{name or '(model)'} {module_class}"
    text = f"{', '.join(said)}. Detected inf/nan during batch_number={after.split()[0]}: {module}"
    lines = watch.lines_of(name)
    if name and any(what.startswith("input") for what, _ in seen):
        lines += watch.lines_of(name.rpartition(".")[0])
    return [Message(kind, text, module=name, module_lines=lines) for kind in sorted({value for _, value in seen})]
