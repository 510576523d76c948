"""``wellposed report --compare`` as users type it, and on programs that were really run."""

from __future__ import annotations

import json

import pytest

from tests.report.comparing import compared, told, write_run
from tests.report.test_verbs import refused
from tests.rules.running import run_program
from wellposed.cli import main
from wellposed.report.html import is_our_page

PROGRAM = """
    import torch
    from torch import nn

    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = torch.randn(32, 8), torch.randn(32, 1)
    for step in range(6):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Two records in the current folder that part."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "works.wellposed")
    write_run(tmp_path / "fails.wellposed", lr=0.3, losses=[2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
    return ("works.wellposed", "fails.wellposed")


@pytest.fixture
def run(tmp_path):
    """Runs the program, edited, under a recording, and gives the record's path."""

    def run(name: str, *edits: tuple[str, str]):
        text = PROGRAM
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        folder = tmp_path / name
        folder.mkdir()
        ran = run_program(text, folder)
        assert ran.error is None
        ran.record.close()
        return ran.record.path

    return run


def test_the_terminal_is_the_default(pair, capsys):
    assert main(["report", "--compare", *pair]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("✗ the losses part in step 1\n")
    assert "SGD: lr" in out
    assert err == ""


def test_json_goes_to_standard_output(pair, capsys):
    assert main(["report", "--format", "json", "--compare", *pair]) == 0
    assert json.loads(capsys.readouterr().out)["first"]["name"] == "SGD: lr"


def test_the_page_has_a_name_of_its_own(pair, tmp_path, capsys):
    for _ in range(2):
        assert main(["report", "--format", "html", "--compare", *pair]) == 0
        assert capsys.readouterr().out == "works-and-fails.html\n"
    assert is_our_page(tmp_path / "works-and-fails.html")


@pytest.mark.parametrize("form", ["terminal", "json", "html"])
def test_output_goes_where_it_is_asked_to(pair, tmp_path, capsys, form):
    assert main(["report", "--compare", "--format", form, "-o", "out.txt", *pair]) == 0
    assert capsys.readouterr().out == "out.txt\n"
    assert "SGD: lr" in (tmp_path / "out.txt").read_text(encoding="utf-8")


def test_a_record_is_never_overwritten(pair, tmp_path, capsys):
    before = (tmp_path / pair[1]).read_bytes()
    refused(capsys, "report", "--compare", "--format", "json", "-o", pair[1], *pair)
    assert (tmp_path / pair[1]).read_bytes() == before


@pytest.mark.parametrize("count", [1, 3])
def test_two_records_are_compared_no_more_and_no_less(pair, capsys, count):
    assert f"takes two records, not {count}" in refused(capsys, "report", "--compare", *[pair[0]] * count)


def test_records_of_different_programs_are_pointed_to_compare(tmp_path, capsys):
    paths = [write_run(tmp_path / f"{name}.wellposed", script=f"{name}.py") for name in "ab"]
    assert "--compare" in refused(capsys, "report", *map(str, paths))
    assert main(["report", "--compare", *map(str, paths)]) == 0


def test_the_help_has_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    assert "wellposed report --compare works.wellposed fails.wellposed" in capsys.readouterr().out


# --- programs that were really run ----------------------------------------------------------------------------


def test_the_same_program_twice_is_the_same(run):
    found = compared(run("a"), run("b"))

    assert found.status == "same"
    assert (found.settings, found.sources, found.operations, found.gradient) == ((), (), (), None)
    assert found.extent.steps >= 3
    assert found.extent.operations > 100


def test_another_learning_rate(run):
    account = told(a := run("a"), b := run("b", ("lr=0.05", "lr=0.5")))
    found = compared(a, b)

    assert (found.first.kind, found.first.name, found.first.a, found.first.b) == ("optimizer", "SGD: lr", 0.05, 0.5)
    assert found.first.a_at.line == found.first.b_at.line == 6
    assert account.headline == "the losses part in step 1"
    assert {each.kind for each in found.operations} == {"argument", "value"}
    assert found.operations[0].a.phase == "optimizer"


def test_one_weight_changed(run):
    line = "optimizer = torch"
    edit = (line, f"with torch.no_grad(): model[2].weight[0, 3] += 0.5\n    {line}")
    found = compared(run("a"), run("b", edit))

    assert (found.first.kind, found.first.step) == ("initial-weights", 0)
    assert found.first.name.startswith("Sequential.2.weight")
    assert found.course.step_of("loss") == 0
    assert {each.kind for each in found.operations} >= {"missing", "value"}


def test_other_data_alone(run):
    found = compared(run("a"), run("b", ("x, y = ", "torch.manual_seed(4); x, y = ")))

    (value,) = (each for each in found.operations if each.kind == "value")
    assert (value.a.operator, value.a.at.line, value.step) == ("aten.randn.default", 7, 0)
    assert found.first.kind == "operation"


def test_another_precision(run):
    edit = (
        "x, y = torch.randn(32, 8), torch.randn(32, 1)",
        "model.bfloat16(); x, y = torch.randn(32, 8).bfloat16(), torch.randn(32, 1).bfloat16()",
    )
    found = compared(run("a"), run("b", edit))

    assert (found.a.precision, found.b.precision) == ("float32", "bfloat16")
    assert found.tolerance == 8 * 2.0**-7
    assert found.status == "different"
    assert {"missing", "dtype"} <= {each.kind for each in found.operations}
