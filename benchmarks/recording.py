"""What recording costs a training step, beside its peers, in one run.

    OMP_NUM_THREADS=1 python benchmarks/recording.py [--model gpt] [--rounds 7] [--quick]

Each round times every variant between two timings of the plain step, one after the other in one process; the table
shows the median over the rounds of the ratio to the plain step around it, and the smallest.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from models import MODELS

from wellposed.capture.recording import Options, Recording

STEPS = {"gpt": 3, "cnn": 6, "mlp": 300}
FULL = Options(budget=None, full_steps=(0, 10**9))
CHECK = Options(budget=None, full_at_first=0)
RUN = Options(grace_seconds=0.0)
WATCH = Options(budget=0.03, grace_seconds=0.0, full_at_first=1, watches_operators=False)

Step = Callable[[], None]


class Workload:
    """A model with its optimizer; `step` is one training step."""

    def __init__(self, name: str):
        torch.manual_seed(0)
        self.model, self._loss = MODELS[name]()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)

    def step(self) -> None:
        self.optimizer.zero_grad()
        self._loss().backward()
        self.optimizer.step()


@contextlib.contextmanager
def recorded(work: Workload, options: Options) -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as folder:
        meta = {"argv": ["benchmark"], "script": "benchmark", "folder": folder}
        recording = Recording(Path(folder) / "r.wellposed", options, meta)
        recording.start()
        recording.adopt(work.model, optimizers=[work.optimizer])
        try:
            yield
        finally:
            recording.stop(0, None)


@contextlib.contextmanager
def torch_statistics(work: Workload) -> Iterator[Any]:
    """Hooks on modules and their outputs' gradients, with six statistics by PyTorch's own operators."""
    kept: list[torch.Tensor] = []

    def measure(tensor: torch.Tensor) -> None:
        t = tensor.detach().float()
        finite = torch.isfinite(t)
        kept.append(torch.stack([t.min(), t.max(), t.mean(), t.std(), (~finite).sum().float(), (t == 0).sum().float()]))

    def after(_module: Any, _args: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            measure(output)
            if output.requires_grad:
                output.register_hook(measure)

    handles = [module.register_forward_hook(after) for module in work.model.modules()]
    try:
        yield kept.clear
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def hugging_face(work: Workload) -> Iterator[Any]:
    from transformers.debug_utils import DebugUnderflowOverflow

    before = {module: list(module._forward_hooks) for module in work.model.modules()}
    detector = DebugUnderflowOverflow(work.model, max_frames_to_save=1)
    try:
        yield
    finally:
        for module, hooks in before.items():
            for key in [key for key in module._forward_hooks if key not in hooks]:
                del module._forward_hooks[key]
        del detector


VARIANTS: dict[str, Callable[[Workload], contextlib.AbstractContextManager[Any]]] = {
    "wellposed, every step in full": lambda work: recorded(work, FULL),
    "wellposed, every operator checked": lambda work: recorded(work, CHECK),
    "wellposed run, sampled (budget 25 %)": lambda work: recorded(work, RUN),
    "wellposed watch (budget 3 %)": lambda work: recorded(work, WATCH),
    "set_detect_anomaly(True)": lambda work: torch.autograd.set_detect_anomaly(True),
    "Hugging Face DebugUnderflowOverflow": hugging_face,
    "hooks with six torch statistics": torch_statistics,
}


def seconds_a_step(step: Step, steps: int, after_each: Callable[[], None] | None = None) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        step()
        if after_each is not None:
            after_each()
    return (time.perf_counter() - began) / steps


def measure(name: str, rounds: int, steps: int) -> tuple[float, dict[str, list[float]]]:
    """(seconds of the plain step, ratios of each variant by round)."""
    work = Workload(name)
    seconds_a_step(work.step, max(2, steps // 10))
    ratios: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    plain = []
    for _ in range(rounds):
        before = seconds_a_step(work.step, steps)
        for variant, enter in VARIANTS.items():
            # The sampled ways begin with full steps, as a long run does once: they are timed after those.
            ahead = 4 if "sampled" in variant or "watch" in variant else 1
            with enter(work) as after_each:
                seconds_a_step(work.step, ahead)
                took = seconds_a_step(work.step, steps, after_each if callable(after_each) else None)
            after = seconds_a_step(work.step, steps)
            ratios[variant].append(took / (0.5 * (before + after)))
            plain.append(before)
            before = after
    return statistics.median(plain), ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(MODELS), action="append", help="default: all three")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one round: only to see that it runs")
    options = parser.parse_args()
    for name in options.model or MODELS:
        rounds, steps = (1, max(1, STEPS[name] // 10)) if options.quick else (options.rounds, STEPS[name])
        plain, ratios = measure(name, rounds, steps)
        print(f"\n{name}: plain step {plain * 1e3:.1f} ms, {rounds} rounds of {steps} steps")
        print(f"{'':40} {'median':>7} {'least':>7}")
        for variant, values in ratios.items():
            print(f"{variant:40} {statistics.median(values):7.2f} {min(values):7.2f}", flush=True)


if __name__ == "__main__":
    main()
