"""The command line as a whole: verbs, version, and mistakes told in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.commands import python, wellposed
from wellposed.cli import main
from wellposed.cli.main import VERBS


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == alone
    assert all(re.search(rf"^  {verb} +\w", alone, re.MULTILINE) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"wellposed {verb}" in capsys.readouterr().out


def test_help_of_run_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = capsys.readouterr().out
    assert "25%" in said and "25%%" not in said
    for taught in ("wellposed run train.py --epochs 3", "torchrun --nproc-per-node", "[tool.wellposed]", "--fail-on"):
        assert taught in said


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"wellposed \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], "there is no verb 'rnu'; did you mean 'run'?"),
        (["frobnicate"], "there is no verb 'frobnicate'; there are run, "),
        (["--verbose"], "there is no option '--verbose'"),
        (["train.py"], "to record a program, say: wellposed run train.py"),
        (["run"], "there is no program to run; say: wellposed run train.py"),
        (["run", "-m"], "-m needs the name of a module"),
        (["run", "--jsn", "x", "train.py"], "there is no option '--jsn'; did you mean --json?"),
        (["run", "--json"], "argument --json: expected one argument"),
        (["run", "surely_not_there.py"], "surely_not_there.py': [Errno 2] No such file or directory"),
        (["run", "-"], "a program on standard input cannot be recorded; write it to a file"),
        (["run", "python", "train.py"], "leave out python: wellposed run train.py"),
        (["run", "/usr/bin/torchrun", "train.py"], "torchrun --nproc-per-node 2 -m wellposed run train.py"),
        (["run", "-m", "torch.distributed.run", "train.py"], "torchrun --nproc-per-node 2 -m wellposed run train.py"),
        (["run", "-m", "accelerate.commands.launch", "x.py"], "accelerate launch -m wellposed run train.py"),
        (["run", "--budget", "lots", __file__], "a budget is a percentage such as 25%, or none; not 'lots'"),
        (["run", "--max-size", "5 bananas", __file__], "or none; not '5 bananas'"),
        (["run", "--fail-on", "doom", __file__], "a severity to fail on is error or warning; not 'doom'"),
        (["run", "--steps", "9-3", __file__], "steps are a number or a range such as 100-120; not '9-3'"),
        (["run", "-o", "/no/such/folder/x.wellposed", __file__], "there is no folder /no/such/folder"),
        (["run", "--html", "/", __file__], "cannot write /: it is a folder"),
        (["run", "-o", __file__, "--force", __file__], "it is the program itself"),
        (["report", "surely_not_there.wellposed"], "surely_not_there.wellposed"),
        (["explain", "surely-no-rule"], "surely-no-rule"),
    ],
    ids=lambda value: " ".join(value).replace("/", "|")[:60] if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.startswith("wellposed: ") and err.count("\n") == 1 and err.endswith("\n")


def test_a_nearby_script_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    ended = wellposed(tmp_path, "run", "trian.py")
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.endswith("trian.py': [Errno 2] No such file or directory; did you mean train.py?\n")


def test_a_reader_that_leaves_early_is_no_failure(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-m', 'wellposed', 'explain'], "
        "stdout=subprocess.PIPE, stderr=subprocess.PIPE); p.stdout.close(); print(p.stderr.read(), p.wait())"
    )
    assert "Traceback" not in python(tmp_path, "-c", program).stdout
