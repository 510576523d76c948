"""TrainScope: records a training run for later study; its report tells spikes of the loss and early warnings."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.peers.messages import Message
from benchmarks.peers.watching import Watch

NAME = "trainscope"
DISTRIBUTION = "trainscope"
HOW = (
    "`TrainScope(model, optimizer).attach()` before the loop, `scope.step(loss.item())` between the backward pass and "
    "the optimizer step, `detach()` and the text of `trainscope report` at the end."
)

CAUSES = {"grad_norm": ("exploding-gradient",)}
"""Of its signals only the norm of the gradients names a cause; a jump of the loss or of kurtosis is a symptom."""

_CROSSED = re.compile(r"^  - (\w+) crossed at step \d+$", re.MULTILINE)
_SPIKES = re.compile(r"^- Spike steps: .*$", re.MULTILINE)
_NOT_FINITE = re.compile(r"^Non-finite loss recorded at step \d+: \S+$", re.MULTILINE)


def install(watch: Watch):
    from torch.optim.optimizer import register_optimizer_step_pre_hook
    from trainscope import TrainScope
    from trainscope.core.config import TrainScopeConfig

    scopes: dict[int, list[tuple[Any, Path]]] = {}
    losses: list[float] = []

    def put_on(model: Any, optimizer: Any) -> None:
        if optimizer is not None:
            folder = Path(watch.program).with_suffix(".trainscope")
            config = TrainScopeConfig(run_dir=str(folder), run_name=f"run_{sum(map(len, scopes.values()))}")
            scope = TrainScope(model, optimizer, config=config).attach()
            scopes.setdefault(id(optimizer), []).append((scope, folder / config.run_name))

    def before_step(optimizer: Any, *_: Any) -> None:
        if losses:
            for scope, _ in scopes.get(id(optimizer), ()):
                scope.step(losses[-1])

    watch.on_model(put_on)
    watch.on_loss(losses.append)
    register_optimizer_step_pre_hook(before_step)

    def collect(ended: BaseException | None, printed: str) -> tuple[list[Message], bool]:
        every = [pair for pairs in scopes.values() for pair in pairs]
        said = [message for scope, run in every for message in messages(_report(scope, run))]
        return said + list(warnings(printed)), bool(every)

    return collect


def _report(scope: Any, run: Path) -> str:
    from trainscope.report import build_report, render

    scope.detach()
    return render(asyncio.run(build_report(run, multi_run=False)), multi_run=False, fmt="markdown")


def messages(report: str) -> Iterator[Message]:
    for crossed in _CROSSED.finditer(report):
        yield Message(crossed[1], crossed[0].strip(" -"))
    for spikes in _SPIKES.finditer(report):
        yield Message("spike", spikes[0].strip(" -"))


def warnings(printed: str) -> Iterator[Message]:
    found = _NOT_FINITE.search(printed)
    if found:
        yield Message("non-finite loss", found[0])
