"""A record of a large network and a long run: what a page must still be able to hold."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.records import RecordBuilder, statistics

LARGE_LAYERS, LARGE_LAST = 48, 975


def write_large(path: Path) -> Path:
    chance = random.Random(0)
    names = [f"TransformerLanguageModel.layers.{n}.attention.c_proj" for n in range(LARGE_LAYERS)]
    with RecordBuilder(path) as record:
        record.source("train.py", "x = 1\n" * 400)
        weights = [record.parameter(f"{name}.weight", (768, 768)) for name in names]
        biases = [record.parameter(f"{name}.bias", (768,)) for name in names]
        others = [record.parameter(f"{name}.norm", (768,)) for name in names]
        for step in range(1000):
            full = step < 3 or step % 25 == 0
            record.step(
                step, "full" if full else "check", loss=chance.random(), learning_rate=chance.random(),
                gradient_norm=chance.random(), gradient_nonfinite=0, update_norm=chance.random(),
            )  # fmt: skip
            if not full:
                continue
            for n, name in enumerate(names):
                for operator in ("addmm", "mul", "softmax"):
                    made = statistics(rms=0.8**n)
                    record.operation(f"aten.{operator}.default", step=step, line=1 + n, module=name, output=made)
            for n, parameter in enumerate(weights):
                ratio = chance.lognormvariate(-7, 3)
                record.gradient(step, parameter, statistics(rms=1e-4 * 0.7 ** (48 - n)), update_ratio=ratio)
            for parameter in biases + others:
                record.gradient(step, parameter, statistics(rms=chance.random()))
            if step in (0, 100, 500, LARGE_LAST):
                counts = json.dumps([chance.randrange(900) for _ in range(60)])
                rows = [(step, each, -50, counts, chance.randrange(90)) for each in weights + biases + others]
                record.writer.add("exponents", rows)
    return path
