"""Children and threads of a program under ``wellposed run``: none of them writes, waits or goes wrong for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tests.cli.commands import python, wellposed
from wellposed.record import Record

pytestmark = pytest.mark.skipif(os.name != "posix", reason="fork is POSIX")


def _script(folder: Path, text: str) -> None:
    (folder / "train.py").write_text(text, encoding="utf-8")


_FORK = """\
import os, sys, torch
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
x = torch.randn(16, 4)
for _ in range(5): model(x).sum().backward(); optimizer.step()
child = os.fork()
if child == 0:
    for _ in range(50): loss = torch.zeros(3).log().sum() + model(x).sum(); loss.backward(); optimizer.step()
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent")
model(x).sum().backward(); optimizer.step()
"""


def test_a_forked_child_writes_nothing_and_says_nothing(tmp_path):
    _script(tmp_path, _FORK)
    ran = wellposed(tmp_path, "run", "train.py")
    assert ran.code == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "parent"
    assert ran.stderr.count("healthy") == 1
    with Record(tmp_path / "train.wellposed") as record:
        assert len(record.steps()) == 6
        assert not list(record.operations("log"))


_WORKERS = """\
import torch
from torch.utils.data import DataLoader, Dataset
class Data(Dataset):
    def __len__(self): return 16
    def __getitem__(self, index):
        row = torch.full((4,), float(index)).sin()
        torch.zeros(1).log()
        return row
if __name__ == "__main__":
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for batch in DataLoader(Data(), batch_size=4, num_workers=2, multiprocessing_context="{context}"):
        optimizer.zero_grad()
        model(batch).pow(2).mean().backward()
        optimizer.step()
    print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_of_a_data_loader_run_unwatched(tmp_path, context):
    _script(tmp_path, _WORKERS.format(context=context))
    ran = wellposed(tmp_path, "run", "train.py")
    assert (ran.code, ran.stdout) == (0, "done\n"), ran.stderr
    assert ran.stderr.count("healthy") == 1
    with Record(tmp_path / "train.wellposed") as record:
        assert len(record.steps()) == 4
        assert not list(record.operations("sin", "log"))
        assert len(list(record.operations("addmm"))) >= 3


_THREADS = """\
import threading, torch
def train(seed):
    model = torch.nn.Linear(4, 1)
    torch.nn.init.constant_(model.weight, 0.1 * (seed + 1))  # random numbers are shared by the threads, in any order
    torch.nn.init.zeros_(model.bias)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    x = torch.ones(8, 4)
    for _ in range(20):
        optimizer.zero_grad()
        model(x).pow(2).mean().backward()
        optimizer.step()
    results[seed] = model.weight.detach().tolist()
results = {0: None, 1: None, 2: None}
threads = [threading.Thread(target=train, args=(seed,)) for seed in range(3)]
for each in threads: each.start()
for each in threads: each.join()
torch.ones(2).exp()
print(results)
"""


def test_training_in_threads_runs_unharmed_and_the_report_says_what_was_not_seen(tmp_path):
    _script(tmp_path, _THREADS)
    plain = python(tmp_path, "train.py")
    ran = wellposed(tmp_path, "run", "--steps", "0-1000", "train.py")
    assert (ran.code, ran.stdout) == (0, plain.stdout), ran.stderr
    with Record(tmp_path / "train.wellposed") as record:
        assert not record.events("recorder-failed")
        assert len(record.steps()) >= 20
        assert len(record.events("unwatched-thread")) == 1
        assert list(record.operations("exp"))  # the main thread is watched to its end
    assert "another thread" in ran.stderr
