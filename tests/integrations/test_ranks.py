"""Several processes of one run: each rank writes its own record, and ``report`` tells them as one."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.cli.commands import Ended, python, wellposed  # noqa: E402
from wellposed.diagnosis import diagnose  # noqa: E402
from wellposed.record import Record  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix" or not torch.distributed.is_available(), reason="needs gloo"),
]

RANKS = """\
import torch, torch.distributed as dist
dist.init_process_group("gloo")
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
WRAP
optimizer = torch.optim.SGD(model.parameters(), 0.01)
torch.manual_seed(dist.get_rank())
for step in range(6):
    x = torch.randn(16, 4)
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
dist.barrier()
dist.destroy_process_group()
"""
WRAPPERS = {
    "DDP": "model = torch.nn.parallel.DistributedDataParallel(model)",
    "FSDP2": "from torch.distributed.fsdp import fully_shard\n"
    "mesh = torch.distributed.device_mesh.init_device_mesh('cpu', (2,))\n"
    "for each in (model[0], model[2], model): fully_shard(each, mesh=mesh)",
}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _torchrun(folder: Path, *program: str) -> Ended:
    port = f"--master-port={_free_port()}"
    words = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1", port)
    return python(folder, *words, *program, GLOO_SOCKET_IFNAME="lo")


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_two_ranks_write_a_record_each_and_are_told_as_one_run(tmp_path, wrapper):
    (tmp_path / "train.py").write_text(RANKS.replace("WRAP", WRAPPERS[wrapper]), encoding="utf-8")
    ran = _torchrun(tmp_path, "-m", "wellposed", "run", "train.py")
    if ran.code and wrapper == "FSDP2" and _torchrun(tmp_path, "train.py").code:
        pytest.skip("FSDP2 does not run on gloo here, with or without us")
    assert ran.code == 0, ran.stderr
    records = sorted(each.name for each in tmp_path.glob("*.wellposed"))
    assert records == ["train.rank0.wellposed", "train.rank1.wellposed"]
    losses = []
    for name in records:
        with Record(tmp_path / name) as record:
            assert diagnose(record).verdict == "healthy"
            assert not record.events("recorder-failed")
            assert len(record.steps()) == 6
            assert all(each.gradient_norm for each in record.steps())
            assert all(each.initial is not None for each in record.parameters())
            losses.append(record.steps()[0].loss)
    assert losses[0] != losses[1]  # each rank has its own data
    told = wellposed(tmp_path, "report", *records)
    assert told.code == 0, told.stderr
    assert re.search(r"6 steps.*2 ranks", told.stdout), told.stdout
