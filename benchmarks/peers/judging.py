"""What counts as an answer. Pure: a label and messages in, a judgement out.

Of a peer, everything it says counts in its favour: any message may name the cause, the line or the module. Of wellposed
(`strict`) only the verdict may name the cause, and only a root finding with an accepted cause may name the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.peers.labels import Label
from benchmarks.peers.messages import ALARM, Answer, Message

NEAR = 1
"""Lines that a named line may lie off: a call over two lines has two."""

Causes = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one program fared under one peer."""

    causes: tuple[str, ...]
    """Every cause that was named, right or wrong."""
    cause: bool
    only: bool
    """Nothing else was named: each message that names causes may mean an accepted one."""
    line: bool
    module: bool
    alarm: bool

    @property
    def silent(self) -> bool:
        return not self.alarm

    @property
    def word(self) -> str:
        """The best that can be said of it, in a word or two."""
        ladder = ((self.cause and self.line, "cause, line"), (self.cause, "cause"), (self.line, "line"))
        best = [word for holds, word in (*ladder, (self.module, "module"), (self.alarm, "alarm")) if holds]
        return best[0] if best else ""


def judge(label: Label, answer: Answer, causes: Causes, *, strict: bool = False) -> Judgement:
    """Judge `answer`; `causes` maps the peer's kinds of message to the causes they are taken to name."""
    messages = answer.messages
    named = tuple(sorted(_named(messages[:1] if strict else messages, causes)))
    alarms = [message for message in messages if message.severity == ALARM]
    if not label.faulty:
        return Judgement(named, cause=False, only=False, line=False, module=False, alarm=bool(alarms))
    right = [message for message in messages if label.causes.intersection(causes.get(message.kind, ()))]
    telling = right if strict else messages
    naming = [message for message in messages if causes.get(message.kind)]
    cause = bool(label.causes.intersection(named))
    return Judgement(
        named,
        cause=cause,
        only=cause and len(right) == len(naming),
        line=any(_near(message.line, label.lines) for message in telling),
        module=any(_near(line, label.lines) for message in telling for line in message.module_lines),
        alarm=bool(alarms) or cause,
    )


def _named(messages: Iterable[Message], causes: Causes) -> set[str]:
    return {cause for message in messages for cause in causes.get(message.kind, ())}


def _near(line: int | None, lines: Iterable[int]) -> bool:
    return line is not None and any(abs(line - other) <= NEAR for other in lines)
