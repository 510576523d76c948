"""What a peer said, in one shape for all peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

ALARM = "alarm"
NOTE = "note"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing that a peer said of a program."""

    kind: str
    """The peer's own name for it, the key of the adapter's `CAUSES`."""
    text: str
    """In the peer's own words, cut to what is said; the whole is in `Answer.output`."""
    severity: str = ALARM
    """`alarm`, or `note` for what the peer itself calls information or style."""
    line: int | None = None
    """The line of the program that it names, if it names one."""
    module: str | None = None
    """The module or parameter that it names, if it names one."""
    module_lines: tuple[int, ...] = ()
    """Where the program makes that module, and the body of its class where the program defines it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One program under one peer."""

    messages: tuple[Message, ...] = ()
    attached: bool = True
    """False where the program has nothing that the peer could be put on."""
    ended: str | None = None
    """The exception or the trouble with which the program ended, None where it ended well."""
    seconds: float = 0.0
    output: str = field(default="", repr=False)
    """The end of what was printed, verbatim but for folders."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def answer_from_json(data: Mapping[str, Any]) -> Answer:
    said = [{**message, "module_lines": tuple(message["module_lines"])} for message in data["messages"]]
    return Answer(**{**data, "messages": tuple(Message(**message) for message in said)})
