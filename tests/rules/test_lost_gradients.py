"""Gradients that never arrive, are bounded too early or too late, or are lost in a normalisation over nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.running import run_program

ENCODED = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
            self.head = nn.Linear(2, 1)

        def forward(self, x):
            {code}
            return self.head(torch.tanh(z))

    net = Net()
    {freeze}
    x = torch.randn(256, 8)
    y = x[:, 5:6] * x[:, 6:7]
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(60):
        loss = nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
CUTS = {
    "detached": "z = self.encoder(x).detach()  # here",
    "as data": "z = self.encoder(x).data  # here",
    "as numbers": "z = torch.tensor(self.encoder(x).tolist())  # here",
    "chosen": "z = nn.functional.one_hot(self.encoder(x).argmax(-1), 2).float()  # here",
    "rounded": "z = torch.round(self.encoder(x))  # here",
    "without graph": "with torch.no_grad():  # here\n                z = self.encoder(x)",
}


@pytest.mark.parametrize("how", CUTS)
def test_a_cut_graph_is_told_where_it_is_cut(how: str, tmp_path: Path) -> None:
    ran = run_program(ENCODED.format(code=CUTS[how], freeze=""), tmp_path)
    assert ran.root_rules == ["cut-gradient"], ran.told()
    assert ran.root_lines == [ran.line_of("# here")], ran.told()
    assert "4 parameters" not in ran.roots[0].message and "Net.encoder.0.weight" in ran.roots[0].message


@pytest.mark.parametrize(
    ("code", "freeze"),
    [
        ("z = self.encoder(x).detach()", "net.encoder.requires_grad_(False)"),
        ("e = self.encoder(x); z = e + (e.round() - e).detach()", ""),
        ("z = self.encoder(x)", ""),
    ],
    ids=["frozen openly", "straight through", "whole"],
)
def test_a_graph_that_is_whole_or_frozen_openly_is_no_cut(code: str, freeze: str, tmp_path: Path) -> None:
    ran = run_program(ENCODED.format(code=code, freeze=freeze), tmp_path)
    assert "cut-gradient" not in ran.rules, ran.told()


CLIPPED = """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    x = torch.randn(128, 8)
    y = 20 * x.sum(1, keepdim=True)
    for step in range(30):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        {turns}
"""


@pytest.mark.parametrize(
    "turns",
    [
        "torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0); loss.backward(); optimizer.step()",
        "loss.backward(); optimizer.step(); torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)",
    ],
    ids=["before backward", "after the update"],
)
def test_a_clip_out_of_turn_is_the_root_of_what_explodes(turns: str, tmp_path: Path) -> None:
    ran = run_program(CLIPPED.format(turns=turns), tmp_path)
    assert ran.root_rules == ["misplaced-clip"], ran.told()
    assert ran.root_lines == [ran.line_of("clip_grad_norm_")]


def test_a_clip_in_its_turn_is_none(tmp_path: Path) -> None:
    turns = "loss.backward(); torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0); optimizer.step()"
    ran = run_program(CLIPPED.format(turns=turns), tmp_path)
    assert "misplaced-clip" not in ran.rules, ran.told()


ACCUMULATED = """
    import torch
    from torch import nn

    model = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(8, 32, 8), torch.randn(8, 32, 1)
    for step in range(10):
        for part in range(8):
            (nn.functional.mse_loss(model(x[part]), y[part]) / 8).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        optimizer.step()
        optimizer.zero_grad()
"""


def test_a_clip_after_accumulation_is_in_its_turn(tmp_path: Path) -> None:
    ran = run_program(ACCUMULATED, tmp_path)
    assert "misplaced-clip" not in ran.rules, ran.told()


NORMALISED = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(8, 32)
            self.norm = {norm}
            self.score = nn.Linear(32, {outputs})

        def forward(self, x):
            {forward}

    net = Net()
    x = torch.randn(256, 8)
    y = 2 * x[:, :1] - x[:, 1:2]
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(40):
        loss = nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


@pytest.mark.parametrize(
    ("norm", "outputs", "forward", "line"),
    [
        ("nn.LayerNorm(1)", 1, "return self.norm(self.score(torch.relu(self.body(x))))", "nn.LayerNorm"),
        ("nn.GroupNorm(32, 32)", 1, "return self.score(torch.relu(self.norm(self.body(x))))", "nn.GroupNorm"),
        ("nn.Identity()", 1, "h = self.score(self.body(x)); return h - h.mean(1, keepdim=True)", "h.mean"),
        ("nn.Identity()", 1, "return torch.softmax(self.score(torch.relu(self.body(x))), -1)", "torch.softmax"),
    ],
    ids=["one feature", "groups of one channel", "by hand", "softmax"],
)
def test_statistics_of_one_value(norm: str, outputs: int, forward: str, line: str, tmp_path: Path) -> None:
    ran = run_program(NORMALISED.format(norm=norm, outputs=outputs, forward=forward), tmp_path)
    assert ran.root_rules == ["statistics-of-few"], ran.told()
    assert ran.root_lines == [ran.line_of(line)], ran.told()


@pytest.mark.parametrize(
    ("norm", "outputs", "forward"),
    [
        ("nn.LayerNorm(32)", 1, "return self.score(torch.relu(self.norm(self.body(x))))"),
        ("nn.GroupNorm(4, 32)", 1, "return self.score(torch.relu(self.norm(self.body(x))))"),
        ("nn.BatchNorm1d(32)", 1, "return self.score(torch.relu(self.norm(self.body(x))))"),
        ("nn.Identity()", 1, "h = self.score(self.body(x)); return h - h.mean()"),
    ],
)
def test_statistics_of_many_values_are_sound(norm: str, outputs: int, forward: str, tmp_path: Path) -> None:
    ran = run_program(NORMALISED.format(norm=norm, outputs=outputs, forward=forward), tmp_path)
    assert "statistics-of-few" not in ran.rules, ran.told()


def test_attention_to_a_single_token_is_sound(tmp_path: Path) -> None:
    ran = run_program(
        """
        import torch
        from torch import nn

        attend = nn.MultiheadAttention(16, 4, batch_first=True)
        query, memory = torch.randn(8, 5, 16), torch.randn(8, 1, 16)
        target = torch.randn(8, 5, 16) * 0.1
        optimizer = torch.optim.Adam(attend.parameters(), lr=1e-2)
        for step in range(30):
            found, _ = attend(query, memory, memory, need_weights=True)
            loss = (found - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
        tmp_path,
    )
    assert "statistics-of-few" not in ran.rules, ran.told()


HAND_WRITTEN_ADAM = """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))
    x = torch.randn(128, 8)
    y = x[:, :4].argmax(1)
    state = [(p, torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()]
    for step in range(1, 41):
        loss = nn.functional.cross_entropy(model(x), y)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p, m, v in state:
                m += 0.1 * (p.grad - m)
                v += 0.001 * (p.grad**2 - v)
                root = (v / (1 - 0.999**step)).sqrt()
                p -= 0.003 * (m / (1 - 0.9**step)) / (root + {epsilon})  # the update
"""


def test_an_epsilon_above_the_gradients_in_an_update_by_hand(tmp_path: Path) -> None:
    ran = run_program(HAND_WRITTEN_ADAM.format(epsilon="5.0"), tmp_path)
    assert ran.root_rules == ["gradients-below-epsilon"] and ran.root_lines == [ran.line_of("# the update")], ran.told()


def test_an_epsilon_below_the_gradients_in_an_update_by_hand(tmp_path: Path) -> None:
    ran = run_program(HAND_WRITTEN_ADAM.format(epsilon="1e-8"), tmp_path)
    assert ran.diagnosis.verdict == "healthy", ran.told()


FACTORS = """
    import torch
    from torch import nn

    truth = torch.randn(40, 3) @ torch.randn(3, 30)
    P = nn.Parameter({p})
    Q = nn.Parameter({q})
    optimizer = torch.optim.Adam([P, Q], lr=0.05)
    for step in range(60):
        i, j = torch.randint(0, 40, (256,)), torch.randint(0, 30, (256,))
        loss = ((P[i] * Q[j]).sum(1) - truth[i, j]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


def test_constant_factors_keep_rank_one(tmp_path: Path) -> None:
    ran = run_program(FACTORS.format(p="torch.full((40, 5), 0.1)", q="torch.full((30, 5), 0.1)"), tmp_path)
    assert ran.root_rules == ["identical-units"], ran.told()


def test_one_factor_drawn_at_random_is_enough(tmp_path: Path) -> None:
    ran = run_program(FACTORS.format(p="torch.full((40, 5), 0.1)", q="0.5 * torch.randn(30, 5)"), tmp_path)
    assert "identical-units" not in ran.rules, ran.told()


QUANTILES = """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(4, 16), nn.SiLU(), nn.Linear(16, 3))
    levels = torch.tensor([0.01, 0.5, 0.99])
    x = torch.randn(64, 4)
    y = torch.randn(64, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    for step in range(40):
        error = y - model(x) + 8
        loss = torch.maximum(levels * error, (levels - 1) * error).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


def test_the_larger_of_two_branches_is_no_bound(tmp_path: Path) -> None:
    ran = run_program(QUANTILES, tmp_path)
    assert "pinned-output" not in ran.rules, ran.told()


DIVIDED = """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2))
    images = torch.randint(0, 256, (256, 30)).float() / 255
    labels = (images[:, :15].sum(1) > images[:, 15:].sum(1)).long()
    inputs = images / {scale}  # here
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(60):
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""


def test_pixels_divided_twice(tmp_path: Path) -> None:
    ran = run_program(DIVIDED.format(scale=255), tmp_path)
    assert ran.root_rules == ["unscaled-input"] and ran.root_lines == [ran.line_of("# here")], ran.told()
    ran = run_program(DIVIDED.format(scale=1), tmp_path)
    assert "unscaled-input" not in ran.rules, ran.told()


def test_an_optimizer_is_handed_what_a_schedule_keeps_from_it(tmp_path: Path) -> None:
    ran = run_program(
        """
        import torch
        from torch import nn

        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
        x = torch.randn(512, 8)
        y = x[:, :4].argmax(1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        warmup = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, n / 5000))  # here
        for step in range(60):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            warmup.step()
        """,
        tmp_path,
    )
    assert ran.root_rules == ["learning-rate-too-small"] and ran.root_lines == [ran.line_of("# here")], ran.told()
