"""The verbs ``report`` and ``explain``, in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.report.conftest import broken_diagnosis, write_broken, write_healthy
from wellposed.cli import main
from wellposed.findings import all_rules


@pytest.fixture
def train(tmp_path, monkeypatch):
    """A record in the current folder, with the diagnosis that the other tests use."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wellposed.diagnosis.diagnose", lambda record, **_: broken_diagnosis())
    return write_broken(tmp_path / "train.wellposed")


def refused(capsys, *words: str) -> str:
    """The one sentence with which a command line is refused."""
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_the_terminal_is_the_default(train, capsys):
    assert main(["report", "train.wellposed"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("✗ unstable-function at train.py:15")
    assert err == ""


def test_json_goes_to_standard_output(train, capsys):
    assert main(["report", "--format", "json", "train.wellposed"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "unstable-function"


def test_html_is_written_beside_the_record_and_named(train, tmp_path, capsys):
    for _ in range(2):
        assert main(["report", "--format", "html", "train.wellposed"]) == 0
        assert capsys.readouterr().out == "train.html\n"
    assert (tmp_path / "train.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("form", ["terminal", "json", "html"])
def test_output_goes_where_it_is_asked_to(train, tmp_path, capsys, form):
    assert main(["report", "--format", form, "-o", "out.txt", "train.wellposed"]) == 0
    assert capsys.readouterr().out == "out.txt\n"
    assert "unstable-function" in (tmp_path / "out.txt").read_text(encoding="utf-8")


def test_ranks_are_read_as_one_run(train, tmp_path, capsys):
    paths = [str(write_broken(tmp_path / f"ddp.rank{n}.wellposed", rank=n)) for n in range(2)]

    assert main(["report", "--format", "json", *paths]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run"]["operations"] == 2 * 48211
    assert told["findings"][0]["ranks"] == [0, 1]

    assert main(["report", "--format", "html", *paths]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "ddp.html")


def test_a_page_of_somebody_else_is_kept(train, tmp_path, capsys):
    (tmp_path / "train.html").write_text("<h1>mine</h1>")

    assert "-o" in refused(capsys, "report", "--format", "html", "train.wellposed")
    assert (tmp_path / "train.html").read_text() == "<h1>mine</h1>"


def test_the_record_is_never_overwritten(train, capsys):
    before = train.read_bytes()
    refused(capsys, "report", "--format", "json", "-o", "./train.wellposed", "train.wellposed")
    assert train.read_bytes() == before


def test_records_of_different_programs_are_no_run(train, tmp_path, capsys):
    write_healthy(tmp_path / "other.wellposed", script="other.py")
    assert "different programs" in refused(capsys, "report", "train.wellposed", "other.wellposed")


def test_an_output_that_cannot_be_written_is_one_sentence(train, capsys):
    assert "cannot write" in refused(capsys, "report", "--format", "json", "-o", "no/such/folder", "train.wellposed")


def test_python_m_wellposed_is_the_same(tmp_path):
    write_healthy(tmp_path / "healthy.wellposed")
    command = [sys.executable, "-m", "wellposed", "report", "healthy.wellposed"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("✓ healthy")
    assert "\x1b" not in done.stdout


def test_explain_alone_lists_every_rule(capsys):
    assert main(["explain"]) == 0
    out = capsys.readouterr().out
    for entry in all_rules():
        assert entry.rule.name in out
        assert entry.rule.code in out


def test_explain_tells_a_rule_in_four_parts(capsys):
    entry = all_rules()[0]

    assert main(["explain", entry.rule.name]) == 0
    by_name = capsys.readouterr().out
    assert main(["explain", entry.rule.code.lower()]) == 0
    assert capsys.readouterr().out == by_name
    parts = ("What it sees", "Why it matters", "A program that shows it", "What to do instead")
    assert [by_name.index(part) for part in parts] == sorted(by_name.index(part) for part in parts)
    for line in entry.page.example_program.splitlines():
        assert line.strip()[:60] in by_name


def test_explain_lists_the_rules_of_a_cause(capsys):
    cause = all_rules()[0].rule.cause

    assert main(["explain", cause]) == 0
    out = capsys.readouterr().out
    assert all((entry.rule.name in out) == (entry.rule.cause == cause) for entry in all_rules())


def test_an_unknown_rule_is_answered_with_the_nearest(capsys):
    name = all_rules()[0].rule.name
    assert name in refused(capsys, "explain", name[:-1])
    refused(capsys, "explain", "\x1b[31m")
