"""``wellposed run`` from outside: what becomes of the program's output, its end, and the files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.commands import python, wellposed
from wellposed.record import Record

PLAIN = "import sys\nprint('computed', *sys.argv[1:])\n"
BROKEN = """
import torch
weights = torch.nn.Parameter(torch.ones(3))
for step in range(2):
    loss = torch.log(weights - weights).sum()
    loss.backward()
print("trained")
"""
HEALTHY = """
import torch
torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(3):
    optimizer.zero_grad()
    model(torch.randn(8, 4)).pow(2).mean().backward()
    optimizer.step()
"""
NOTHING = "wellposed: the program never imported torch or numpy; there is nothing to diagnose\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plain.py").write_text(PLAIN)
    return tmp_path


def test_output_and_exit_code_are_the_programs(folder: Path) -> None:
    (folder / "leave.py").write_text("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    ended = wellposed(folder, "run", "leave.py")
    assert (ended.stdout, ended.stderr, ended.code) == ("out\n", "err\n" + NOTHING, 7)
    with Record(folder / "leave.wellposed") as record:
        assert record.program.exit_code == 7
        assert record.program.argv == ("leave.py",)
        assert record.program.folder == str(folder)


def test_options_after_the_script_belong_to_it(folder: Path) -> None:
    ended = wellposed(folder, "run", "--quiet", "plain.py", "--json", "x", "-o", "--", "-m", "--help")
    assert (ended.stdout, ended.stderr, ended.code) == ("computed --json x -o -- -m --help\n", "", 0)
    assert sorted(path.name for path in folder.iterdir()) == ["plain.py", "plain.wellposed"]


def test_module(folder: Path) -> None:
    (folder / "pack").mkdir()
    (folder / "pack" / "train.py").write_text(PLAIN)
    ended = wellposed(folder, "run", "--quiet", "-m", "pack.train", "--epochs", "3", "-o", "x")
    assert (ended.stdout, ended.stderr, ended.code) == ("computed --epochs 3 -o x\n", "", 0)
    with Record(folder / "train.wellposed") as record:
        assert record.program.argv == ("-m", "pack.train", "--epochs", "3", "-o", "x")


def test_a_module_that_is_not_there_leaves_no_record(folder: Path) -> None:
    ended = wellposed(folder, "run", "-m", "not_there")
    assert (ended.stdout, ended.stderr, ended.code) == ("", "wellposed: No module named not_there\n", 2)
    assert not list(folder.glob("*.wellposed*"))


def test_a_program_without_torch_stays_without(folder: Path) -> None:
    (folder / "light.py").write_text(
        "import atexit, sys\natexit.register(lambda: print(sorted({'torch', 'numpy'} & set(sys.modules))))\n"
    )
    assert wellposed(folder, "run", "--json", "x.json", "--html", "x.html", "light.py").stdout == "[]\n"


def test_the_launcher_is_light_when_the_program_starts(folder: Path) -> None:
    (folder / "modules.py").write_text("import sys; print(*sys.modules)")
    loaded = wellposed(folder, "run", "--quiet", "modules.py").stdout.split()
    assert not {"torch", "numpy", "rich", "jinja2", "wellposed.diagnosis", "wellposed.report"} & set(loaded)
    assert len(loaded) - len(python(folder, "modules.py").stdout.split()) < 120


def test_a_record_of_the_same_script_is_replaced_and_nothing_else(folder: Path) -> None:
    assert wellposed(folder, "run", "plain.py").code == 0
    assert wellposed(folder, "run", "plain.py", "again").code == 0
    with Record(folder / "plain.wellposed") as record:
        assert record.program.argv == ("plain.py", "again")

    (folder / "other.py").write_text(PLAIN)
    refused = wellposed(folder, "run", "-o", "plain.wellposed", "other.py")
    assert (refused.stdout, refused.code) == ("", 2)
    assert "plain.wellposed exists" in refused.stderr and "--force" in refused.stderr
    assert wellposed(folder, "run", "-o", "plain.wellposed", "--force", "other.py").code == 0


def test_files_of_others_are_not_overwritten(folder: Path) -> None:
    (folder / "results.json").write_text('{"mine": 1}')
    refused = wellposed(folder, "run", "--json", "results.json", "plain.py")
    assert (refused.stdout, refused.code) == ("", 2)
    assert "results.json exists and is no report of ours" in refused.stderr
    (folder / "results.json").write_text("")
    for _ in range(2):
        assert wellposed(folder, "run", "--json", "results.json", "plain.py").code == 0
    assert json.loads((folder / "results.json").read_text())["schema"] == "wellposed/1"


def test_a_program_that_changes_folder_changes_nothing(folder: Path) -> None:
    (folder / "away.py").write_text("import os; os.chdir('/')")
    assert wellposed(folder, "run", "--json", "x.json", "away.py").code == 0
    assert json.loads((folder / "x.json").read_text())["verdict"] == "healthy"
    assert (folder / "away.wellposed").exists()


def test_a_program_whose_folder_shadows_modules(folder: Path) -> None:
    for name in ("html", "uuid", "rich", "jinja2", "random"):
        (folder / f"{name}.py").write_text("raise RuntimeError('the program never imports me')")
    ended = wellposed(folder, "run", "--html", "x.html", "plain.py")
    assert (ended.stdout, ended.stderr, ended.code) == ("computed\n", NOTHING, 0)
    assert (folder / "x.html").stat().st_size > 1000


def test_an_exception_is_told_as_python_tells_it(folder: Path) -> None:
    (folder / "fails.py").write_text("def f():\n    return 1 / 0\nf()\n")
    ended = wellposed(folder, "run", "--json", "x.json", "fails.py")
    assert ended.stderr == python(folder, "fails.py").stderr + NOTHING
    assert ended.code == 1
    program = json.loads((folder / "x.json").read_text())["program"]
    assert program == {"argv": ["fails.py"], "exit_code": 1, "error": "ZeroDivisionError: division by zero"}


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
def test_an_interrupt_ends_it_by_the_signal_and_still_reports(folder: Path) -> None:
    (folder / "waits.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "wellposed", "run", "--json", "x.json", "waits.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors.endswith("KeyboardInterrupt\n" + NOTHING)
    assert json.loads((folder / "x.json").read_text())["program"]["exit_code"] == 130


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX")
def test_a_forked_child_does_not_report(folder: Path) -> None:
    (folder / "forks.py").write_text("import os\nchild = os.fork()\nif child:\n    os.waitpid(child, 0)\n")
    assert wellposed(folder, "run", "forks.py").stderr == NOTHING


def test_our_failure_is_one_sentence_and_the_programs_end_its_own(folder: Path) -> None:
    (folder / "leave.py").write_text("import sys; print('out'); sys.exit(3)")
    launcher = (
        "import sys, wellposed.diagnosis\n"
        "def broken(*_, **__): raise RuntimeError('out of ideas')\n"
        "wellposed.diagnosis.diagnose = broken\n"
        "from wellposed.cli import main\n"
        "sys.exit(main(['run', 'leave.py']))\n"
    )
    ended = python(folder, "-c", launcher)
    assert (ended.stdout, ended.code) == ("out\n", 3)
    assert ended.stderr == (
        "wellposed: the report could not be made (RuntimeError: out of ideas); the record is leave.wellposed\n"
    )


def test_each_rank_writes_its_own_record_and_the_first_says_so(folder: Path) -> None:
    first = wellposed(folder, "run", "--html", "all.html", "plain.py", RANK="0", WORLD_SIZE="2")
    second = wellposed(folder, "run", "--html", "all.html", "plain.py", RANK="1", WORLD_SIZE="2")
    command = "report --format html -o all.html plain.rank0.wellposed plain.rank1.wellposed"
    assert first.stderr == f"wellposed: 2 ranks, a record each; as one run: wellposed {command}\n"
    assert (second.stdout, second.stderr, second.code) == ("computed\n", "", 0)
    assert not (folder / "all.html").exists()
    assert wellposed(folder, *command.split()).code == 0
    assert (folder / "all.html").exists()
    alone = wellposed(folder, "run", "--quiet", "plain.py", RANK="0", WORLD_SIZE="1")
    assert alone.code == 0 and (folder / "plain.wellposed").exists()


def test_settings_of_the_project(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.wellposed]\nbugdet = '10%'\n")
    refused = wellposed(folder, "run", "plain.py")
    assert (refused.stdout, refused.code) == ("", 2)
    assert refused.stderr.endswith("[tool.wellposed] has no setting 'bugdet'; did you mean 'budget'?\n")
    (folder / "pyproject.toml").write_text("[tool.wellposed]\ndisable = ['no-such-rule']\n")
    assert "there is no rule 'no-such-rule'" in wellposed(folder, "run", "plain.py").stderr


# --- with PyTorch ---------------------------------------------------------------------------------------------


def test_a_finding_is_told_and_fails_where_asked(folder: Path) -> None:
    pytest.importorskip("torch")
    (folder / "train.py").write_text(BROKEN)
    told = wellposed(folder, "run", "--json", "x.json", "--html", "x.html", "train.py")
    assert (told.stdout, told.code) == ("trained\n", 0)
    assert "train.py:5" in told.stderr
    answer = json.loads((folder / "x.json").read_text())
    assert answer["verdict"] == "unstable-function"
    assert answer["findings"][0]["where"]["line"] == 5
    assert "train.py" in (folder / "x.html").read_text()

    failed = wellposed(folder, "run", "--quiet", "--fail-on", "error", "train.py")
    assert (failed.stdout, failed.stderr, failed.code) == ("trained\n", "", 1)

    rule = answer["findings"][0]["rule"]
    (folder / "pyproject.toml").write_text(f"[tool.wellposed]\ndisable = ['{rule}']\n")
    wellposed(folder, "run", "--quiet", "--json", "x.json", "train.py")
    assert rule not in {finding["rule"] for finding in json.loads((folder / "x.json").read_text())["findings"]}


def test_a_healthy_program_passes(folder: Path) -> None:
    pytest.importorskip("torch")
    (folder / "train.py").write_text(HEALTHY)
    ended = wellposed(folder, "run", "--fail-on", "warning", "--steps", "0-1", "--budget", "none", "train.py")
    assert (ended.stdout, ended.code) == ("", 0)
    with Record(folder / "train.wellposed") as record:
        assert record.program.operations > 0
        assert [step.level for step in record.steps()[:3]] == ["full"] * 3


def test_an_error_of_torch_shows_no_frame_of_ours(folder: Path) -> None:
    pytest.importorskip("torch")
    (folder / "train.py").write_text(
        "import torch\nx = torch.ones(2, 3, requires_grad=True)\nx.sum().backward()\ntorch.ones(2, 3) @ x\n"
    )
    ended = wellposed(folder, "run", "--quiet", "train.py")
    assert (ended.stderr, ended.code) == (python(folder, "train.py").stderr, 1)


@pytest.mark.slow
def test_two_ranks_under_torchrun(folder: Path) -> None:
    pytest.importorskip("torch")
    (folder / "train.py").write_text(
        "import torch, torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 2))\n"
        "model(torch.randn(3, 4)).pow(2).mean().backward()\n"
        "dist.destroy_process_group()\n"
    )
    ended = python(
        folder,
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "wellposed", "run", "train.py"),
    )
    assert ended.code == 0, ended.stderr
    assert "2 ranks, a record each; as one run: wellposed report train.rank0.wellposed" in ended.stderr
    for rank in range(2):
        with Record(folder / f"train.rank{rank}.wellposed") as record:
            assert (record.program.rank, record.program.world_size, record.program.exit_code) == (rank, 2, 0)
            assert record.program.operations > 0
