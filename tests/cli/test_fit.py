"""``wellposed run --as``: the section it adds, and the program run again to check it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import python, wellposed

pytest.importorskip("torch")

TRAIN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.large = nn.Linear(16, 16)
        self.norm = nn.LayerNorm(16)
        self.last = nn.Linear(16, 3)
        with torch.no_grad():
            self.large.weight.mul_(FACTOR)

    def forward(self, x):
        return self.last(self.norm(self.large(torch.tanh(self.first(x)))))

torch.manual_seed(0)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
x = torch.randn(64, 8)
y = x[:, :3].argmax(1)
for step in range(12):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(loss.item(), sum(float(each.abs().sum()) for each in model.parameters()), torch.rand(1).item())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "large.py").write_text(TRAIN.replace("FACTOR", "3e5"))
    (tmp_path / "fine.py").write_text(TRAIN.replace("FACTOR", "1.0"))
    return tmp_path


def test_the_prediction_is_told_in_all_three_forms_and_the_run_is_the_same(folder: Path) -> None:
    ended = wellposed(folder, "run", "--as", "float16", "--json", "a.json", "--html", "a.html", "large.py")
    assert ended.code == 0 and ended.stdout == python(folder, "large.py").stdout
    assert "As float16: Would survive in float16 with Net.large, Net.norm kept in float32" in ended.stderr
    found = json.loads((folder / "a.json").read_text())["fit"]
    assert [each["module"] for each in found["keep_in_float32"]] == ["Net.large", "Net.norm"]
    assert found["dtype"] == "float16" and found["exact"] and found["check"] is None
    assert {each["where"]["line"] for each in found["operations"] if each["harm"] and each["scope"]} == {16}
    assert "As float16" in (folder / "a.html").read_text()


def test_without_it_nothing_of_it_is_told(folder: Path) -> None:
    ended = wellposed(folder, "run", "--json", "a.json", "fine.py")
    assert "As float" not in ended.stderr
    assert "fit" not in json.loads((folder / "a.json").read_text())


def test_the_check_breaks_without_the_proposals_and_stays_finite_with_them(folder: Path) -> None:
    ended = wellposed(folder, "run", "--as", "float16", "--check", "--json", "a.json", "large.py")
    assert ended.stdout == python(folder, "large.py").stdout
    check = json.loads((folder / "a.json").read_text())["fit"]["check"]
    assert check["plain"]["first_nonfinite"] == 0 and not check["plain"]["survives"]
    proposed = check["proposed"]
    assert proposed["survives"] and proposed["steps"] == 12 and proposed["kept"] == ["Net.large", "Net.norm"]
    # Rounded it was: the losses are not those of float32, and close to them.
    assert 0 < proposed["largest_difference"] < 0.05
    assert sorted(path.name for path in folder.glob("*.wellposed")) == ["large.wellposed"]


def test_a_program_that_fits_passes_the_check_as_it_is(folder: Path) -> None:
    ended = wellposed(folder, "run", "--as", "bfloat16", "--check", "--json", "a.json", "fine.py")
    found = json.loads((folder / "a.json").read_text())["fit"]
    assert found["verdict"] == "fits" and found["check"]["plain"] is None
    assert found["check"]["proposed"]["survives"], ended.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--as", "float12", "fine.py"], "choose one of float16, bfloat16"),
        (["--check", "fine.py"], "--check needs a format"),
        (["--rounded", "{", "fine.py"], "--rounded is for"),
    ],
)
def test_what_cannot_be_asked_is_told_before_the_program_starts(folder: Path, words: list[str], said: str) -> None:
    ended = wellposed(folder, "run", *words)
    assert ended.code == 2 and ended.stdout == ""
    assert said in ended.stderr and len(ended.stderr.splitlines()) == 1


def test_a_program_without_torch_has_no_such_section(folder: Path) -> None:
    (folder / "plain.py").write_text("print('hello')")
    ended = wellposed(folder, "run", "--as", "float16", "--check", "plain.py")
    assert (ended.stdout, ended.code) == ("hello\n", 0)
    assert "As float16" not in ended.stderr
