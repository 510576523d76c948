"""What it costs to run a training step beside its shadow: time as a multiple of the plain step.

    python benchmarks/digits.py [--rounds 9]

"carried" is a step whose shadows are only carried along, as in a long measured training; "with shares" keeps the step's
values and differentiates it again. Times are the best of the rounds, the plain step's measured between the others.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from models import MODELS

import wellposed


def seconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def training_step(model: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print(f"{'model':8} {'plain, ms':>10} {'carried':>9} {'with shares':>12}")
    for name, make in MODELS.items():
        step = training_step(*make())
        step()
        plain, carried, shared = [], [], []
        for _ in range(rounds):
            plain.append(seconds(step))
            with wellposed.digits(attribution=False):
                for _ in range(10):  # places are measured ever more rarely
                    step()
                carried.append(seconds(step))
        for _ in range(2):
            shared.append(seconds(lambda step=step: wellposed.digits(step)))
        best = min(plain)
        print(f"{name:8} {1e3 * best:10.2f} {min(carried) / best:8.1f}× {min(shared) / best:11.1f}×")


if __name__ == "__main__":
    main()
