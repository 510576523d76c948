"""Faults of the data, told from faults of the program; and a log that hides them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.running import run_program

LATE_NAN = """
    import numpy as np
    import torch
    from torch import nn

    table = np.random.default_rng(0).normal(size=(320, 4)).astype("float32")
    table[250, 1] = np.nan
    rows = torch.from_numpy(table)  # enters here
    target = torch.randn(320, 1)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for start in range(0, 320, 16):
        loss = (model(rows[start:start + 16]) - target[start:start + 16]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

INFINITE_TARGET = """
    import numpy as np
    import torch

    prices = np.array([1.0, 2.0, 0.0, 4.0], dtype="float32")
    with np.errstate(divide="ignore"):
        ratio = 1.0 / prices
    y = torch.from_numpy(ratio)  # enters here
    w = torch.zeros(4, requires_grad=True)
    loss = (w - y).abs().mean()
    loss.backward()
"""

FROM_A_LOADER = """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    class Samples(torch.utils.data.Dataset):
        def __len__(self):
            return 24

        def __getitem__(self, index):
            value = float("nan") if index == 20 else 0.1 * index
            return torch.tensor([value, 1.0])  # made here

    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for x in DataLoader(Samples(), batch_size=4):
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

IGNORED = """
    import torch
    from torch import nn

    model = nn.Linear(6, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(5):
        labels = torch.full((7,), 9) if step == 3 else torch.randint(0, 3, (7,))
        loss = nn.functional.cross_entropy(model(torch.randn(7, 6)), labels, ignore_index=9)  # the loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

FIRING = {
    "a missing value late in the data": ("nan-in-data", LATE_NAN, "# enters here"),
    "an infinite target": ("nan-in-data", INFINITE_TARGET, "# enters here"),
    "a sample of a loader": ("nan-in-data", FROM_A_LOADER, "# made here"),
    "labels all ignored": ("every-label-ignored", IGNORED, "# the loss"),
}


@pytest.mark.parametrize("name", FIRING)
def test_the_rule_fires_at_its_line(name: str, tmp_path: Path) -> None:
    rule, program, mark = FIRING[name]
    ran = run_program(program, tmp_path)

    assert ran.root_rules == [rule], ran.told()
    assert ran.diagnosis.verdict == "bad-data", ran.told()
    assert ran.root_lines == [ran.line_of(mark)], ran.told()


OTHER_CAUSES = {
    "a NaN that an operator makes": (
        """
        import torch
        rows = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
        weight = torch.ones(2, requires_grad=True)
        loss = (rows.log() @ weight).mean()
        loss.backward()
        """,
        "unstable-function",
    ),
    "some labels ignored": (
        """
        import torch
        logits = torch.randn(4, 3, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor([-100, 1, -100, 2]))
        loss.backward()
        """,
        "healthy",
    ),
    "missing values put aside": (
        """
        import torch
        rows = torch.tensor([[1.0, float("nan")], [3.0, 4.0]])
        weight = torch.ones(2, requires_grad=True)
        loss = (torch.nan_to_num(rows, nan=0.0) @ weight).square().mean()
        loss.backward()
        """,
        "healthy",
    ),
    "a mask of minus infinity": (
        """
        import numpy as np
        import torch
        mask = torch.from_numpy(np.triu(np.full((4, 4), -np.inf, dtype="float32"), 1))
        scores = torch.randn(4, 4, requires_grad=True)
        loss = (scores + mask).softmax(-1)[:, 0].sum()
        loss.backward()
        """,
        "healthy",
    ),
    "a best so far that starts at infinity": (
        """
        import torch
        best, w = torch.tensor(float("inf")), torch.ones(3, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        for step in range(5):
            loss = w.square().sum()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
            best = torch.minimum(best, loss.detach())
        """,
        "healthy",
    ),
}


@pytest.mark.parametrize("name", OTHER_CAUSES)
def test_a_near_miss_is_none_of_the_data(name: str, tmp_path: Path) -> None:
    program, verdict = OTHER_CAUSES[name]
    ran = run_program(program, tmp_path)

    assert ran.error is None, ran.told()
    assert ran.diagnosis.verdict == verdict, ran.told()
    assert not {"nan-in-data", "every-label-ignored"} & set(ran.rules), ran.told()
