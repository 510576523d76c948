"""Runs programs under a peer, each in a process of its own."""

from __future__ import annotations

import concurrent.futures
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.peers.adapters import adapter
from benchmarks.peers.labels import Label
from benchmarks.peers.launch import launch
from benchmarks.peers.messages import Answer, answer_from_json

SECONDS = 300.0
"""After so long a program is ended."""

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
"""One thread, and the same order of sets in every run: one peer picks the layer it names from a set."""


def run_all(peer: str, labels: Iterable[Label], folder: Path, jobs: int) -> Iterator[tuple[Label, Answer]]:
    """The answers of `peer`, as they come; the programs run in a copy of their folder."""
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        copy = Path(scratch).resolve() / "programs"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.wellposed*", "__pycache__"))
        run = run_command if hasattr(adapter(peer), "command") else run_launched
        waiting = {pool.submit(run, peer, copy / label.file): label for label in labels}
        for done in concurrent.futures.as_completed(waiting):
            yield waiting[done], done.result()


def run_launched(peer: str, program: Path) -> Answer:
    """In a fresh process that has PyTorch imported and nothing else done."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch"])
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "answer.json"
        process = context.Process(target=_child, args=(peer, program, out))
        process.start()
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
            return Answer(ended=f"no answer in {SECONDS:.0f} s", seconds=SECONDS)
        if not out.exists():
            return Answer(ended=f"no answer, exit code {process.exitcode}")
        return answer_from_json(json.loads(out.read_text()))


def _child(peer: str, program: Path, out: Path) -> None:
    try:
        launch(peer, program, lambda answer: out.write_text(json.dumps(answer.to_json())))
    except Exception:
        sys.__stderr__.write(f"{peer} failed on {program.name}\n{traceback.format_exc()}")


def run_command(peer: str, program: Path) -> Answer:
    """By the peer's own command."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "answer.json"
        command = adapter(peer).command(program, out)
        began = time.perf_counter()
        try:
            done = subprocess.run(
                command,
                cwd=program.parent,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Answer(ended=f"no answer in {SECONDS:.0f} s", seconds=SECONDS)
        seconds = round(time.perf_counter() - began, 2)
        if not out.exists():
            return Answer(ended="no answer: " + done.stderr.strip()[-300:], seconds=seconds)
        return adapter(peer).read(json.loads(out.read_text()), seconds, done.stdout + done.stderr)
