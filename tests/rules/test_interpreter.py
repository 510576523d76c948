"""What Python's way of running costs: each rule on a program that pays, and on near ones that do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.running import Ran, run_program
from wellposed.findings import Finding, find_rule
from wellposed.rules.interpreter import growing_concatenation, loop_over_elements, number_out_of_tensor
from wellposed.rules.interpreter import sample_by_sample_loading as loading


@pytest.fixture(autouse=True)
def whatever_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told depends on measured time; what is found does not."""
    for module in (growing_concatenation, loop_over_elements, number_out_of_tensor, loading):
        monkeypatch.setattr(module, "NOTICEABLE", 0.0)


def found(ran: Ran, rule: str) -> list[Finding]:
    return list(find_rule(rule).check(ran.record))


def found_in(program: str, rule: str, tmp_path: Path) -> list[Finding]:
    return found(run_program(program, tmp_path), rule)


WASTEFUL = {
    "a column at a time": (
        "growing-concatenation",
        """
        import torch
        table = torch.empty(512, 0)
        for step in range(300):
            table = torch.cat([table, torch.ones(512, 1)], dim=1)  # here
        """,
    ),
    "by hstack": (
        "growing-concatenation",
        """
        import torch
        signal = torch.empty(0)
        for step in range(300):
            signal = torch.hstack([signal, torch.ones(512)])  # here
        """,
    ),
    "losses of an evaluation": (
        "growing-graph",
        """
        import torch
        model = torch.nn.Linear(4, 1)
        total = 0.0
        for batch in range(30):
            total += model(torch.randn(8, 4)).pow(2).mean()  # here
        print(float(total))
        """,
    ),
    "a loop that sums up": (
        "loop-over-elements",
        """
        import torch
        rows = torch.randn(300, 4)
        total = torch.zeros(())
        for i in range(300):
            total = total + (rows[i] * 2).sum()  # here
        """,
    ),
    "iterating over a tensor": (
        "loop-over-elements",
        """
        import torch
        lengths = []
        for row in torch.randn(300, 4):
            lengths.append(row.norm())  # here
        """,
    ),
    "a comparison of each": (
        "number-out-of-tensor",
        """
        import torch
        scores = torch.randn(300)
        best = 0.0
        for i in range(300):
            if scores[i] > best:  # here
                best = float(scores[i])
        """,
    ),
}


@pytest.mark.parametrize("name", WASTEFUL)
def test_the_line_that_costs_is_told(name: str, tmp_path: Path) -> None:
    rule, program = WASTEFUL[name]
    ran = run_program(program, tmp_path)
    (finding,) = found(ran, rule)
    assert finding.where.line == ran.line_of("# here"), finding
    assert finding.role == "advice" and finding.cause == "python-overhead"
    assert finding.evidence and finding.fixes


FRUGAL = {
    "a few pieces": (
        "growing-concatenation",
        """
        import torch
        rows = torch.empty(0, 512)
        for step in range(8):
            rows = torch.cat([rows, torch.ones(40000, 512)])
        """,
    ),
    "pieces that are small": (
        "growing-concatenation",
        """
        import torch
        rows = torch.empty(0, 2)
        for step in range(200):
            rows = torch.cat([rows, torch.ones(1, 2)])
        """,
    ),
    "features side by side in each round": (
        "growing-concatenation",
        """
        import torch
        for step in range(60):
            rows = torch.cat([torch.ones(300, 256), torch.zeros(300, 256)])
        """,
    ),
    "evaluation without gradients": (
        "growing-graph",
        """
        import torch
        model = torch.nn.Linear(4, 1)
        total = 0.0
        with torch.no_grad():
            for batch in range(30):
                total += model(torch.randn(8, 4)).pow(2).mean()
        """,
    ),
    "losses as numbers": (
        "growing-graph",
        """
        import torch
        model = torch.nn.Linear(4, 1)
        total = 0.0
        for batch in range(30):
            total += model(torch.randn(8, 4)).pow(2).mean().item()
        """,
    ),
    "losses without their graph": (
        "growing-graph",
        """
        import torch
        model = torch.nn.Linear(4, 1)
        total = torch.zeros(())
        for batch in range(30):
            total = total + model(torch.randn(8, 4)).pow(2).mean().detach()
        """,
    ),
    "a sum that is trained on": (
        "growing-graph",
        """
        import torch
        model = torch.nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        for step in range(3):
            total = 0.0
            for part in range(30):
                total = total + model(torch.randn(8, 4)).pow(2).mean()
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
        """,
    ),
    "truncated at a fixed length": (
        "growing-graph",
        """
        import torch
        cell = torch.nn.RNNCell(4, 8)
        optimizer = torch.optim.SGD(cell.parameters(), lr=1e-3)
        hidden = torch.zeros(2, 8)
        for step in range(8):
            hidden = hidden.detach()
            for part in range(5):
                hidden = cell(torch.randn(2, 4), hidden)
            optimizer.zero_grad()
            hidden.pow(2).mean().backward()
            optimizer.step()
        """,
    ),
    "a recurrence": (
        "loop-over-elements",
        """
        import torch
        rows = torch.randn(300, 4)
        state = torch.zeros(4)
        for i in range(300):
            state = torch.tanh(rows[i] + 0.9 * state)
        """,
    ),
    "long rows": (
        "loop-over-elements",
        """
        import torch
        rows = torch.randn(300, 5000)
        for i in range(300):
            rows[i].norm()
        """,
    ),
    "a number a round": (
        "number-out-of-tensor",
        """
        import torch
        for step in range(20):
            loss = torch.randn(100).mean().item()
        """,
    ),
    "a loader that indexes batches": (
        "sample-by-sample-loading",
        """
        import torch
        from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset
        data = TensorDataset(torch.randn(2000, 4))
        for (rows,) in DataLoader(data, sampler=BatchSampler(RandomSampler(data), 500, False), batch_size=None):
            rows.mean()
        """,
    ),
    "pictures one by one": (
        "sample-by-sample-loading",
        """
        import torch
        from torch.utils.data import DataLoader, TensorDataset
        for (pictures,) in DataLoader(TensorDataset(torch.randn(200, 3, 64, 64)), batch_size=100):
            pictures.mean()
        """,
    ),
}


@pytest.mark.parametrize("name", FRUGAL)
def test_what_costs_little_or_cannot_be_helped_is_not_told(name: str, tmp_path: Path) -> None:
    rule, program = FRUGAL[name]
    assert found_in(program, rule, tmp_path) == []


def test_a_step_is_charged_for_its_operators_and_its_part_of_the_rest(tmp_path: Path) -> None:
    from wellposed.rules.interpreter.shares import cost

    ran = run_program("import torch\nfor i in range(50):\n    torch.ones(3).exp()", tmp_path)
    every = list(ran.record.operations())
    exponentials = [each for each in every if each.base == "exp"]
    whole, part = cost(ran.record, 0, every), cost(ran.record, 0, exponentials)
    assert whole.share == pytest.approx(1.0, abs=1e-6)
    assert 0.0 < part.share < whole.share
    assert cost(ran.record, 99, every).share == 0.0
