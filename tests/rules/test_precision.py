"""The range of float16: what overflows, underflows or comes close, and the programs that merely use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.running import run_program

CAST = """
    import torch

    scores = torch.linspace(0.0, 9e4, 32)
    half = scores.half()  # the cast
    weights = (half - half.max()).softmax(0)
    print(weights.sum())
"""

AUTOCAST_PRODUCT = """
    import torch
    from torch import nn

    class Head(nn.Module):
        def __init__(self):
            super().__init__()
            self.q, self.k = nn.Linear(32, 32), nn.Linear(32, 32)

        def forward(self, x):
            scores = self.q(x) @ self.k(x).transpose(-2, -1)  # the product
            return (scores / 32 ** 0.5).softmax(-1) @ x

    head = Head()
    optimizer = torch.optim.SGD(head.parameters(), lr=1e-3)
    for step in range(3):
        x = 400.0 * torch.randn(2, 8, 32)
        with torch.autocast("cpu", dtype=torch.float16):
            out = head(x)
        loss = out.float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

SQUARES = """
    import torch

    def normalise(x):
        return x / (x * x).sum(-1, keepdim=True).sqrt()  # the squares

    rows = normalise(300.0 * torch.ones(4, 16, dtype=torch.float16))
    print(rows.sum())
"""

EXPONENTIAL = """
    import torch

    energy = torch.tensor([1.0, 14.0, 3.0], dtype=torch.float16)
    growth = energy.exp()  # the exponential
    print(growth.float().mean())
"""

UNDERFLOW = """
    import torch
    from torch import nn

    model = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 1)).half()
    x = torch.randn(64, 8, dtype=torch.float16)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(14):
        pred = model(x)
        loss = 2e-6 * (pred - x[:, :1]).square().mean().float()
        optimizer.zero_grad()
        loss.backward()  # backward
        optimizer.step()
"""

COLLAPSE = """
    import torch
    from torch import nn

    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for step in range(30):
        x = torch.randn(8, 4)
        if step > 12:
            x[0] = 0.0
        loss = (x @ model.weight.T).norm(dim=1).sqrt().sum()  # sqrt of a norm of zero
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""

FIRING = {
    "cast": ("float16-overflow", CAST, "# the cast"),
    "product under autocast": ("float16-overflow", AUTOCAST_PRODUCT, "# the product"),
    "squares": ("float16-overflow", SQUARES, "# the squares"),
    "exponential": ("float16-overflow", EXPONENTIAL, "# the exponential"),
    "gradients": ("float16-underflow", UNDERFLOW, "# backward"),
}


@pytest.mark.parametrize("name", FIRING)
def test_the_rule_fires_at_its_line(name: str, tmp_path: Path) -> None:
    rule, program, mark = FIRING[name]
    ran = run_program(program, tmp_path)

    assert ran.root_rules == [rule], ran.told()
    assert ran.diagnosis.verdict == "float16-range", ran.told()
    assert ran.root_lines == [ran.line_of(mark)], ran.told()


def test_a_scale_that_collapses_is_told_beside_its_cause(tmp_path: Path) -> None:
    ran = run_program(COLLAPSE, tmp_path)

    assert "gradient-scaler-collapse" in ran.rules, ran.told()
    assert ran.diagnosis.verdict != "float16-range", ran.told()
    assert ran.root_lines[0] == ran.line_of("# sqrt of a norm of zero"), ran.told()


def test_values_close_to_the_limit_are_advice(tmp_path: Path) -> None:
    ran = run_program(
        """
        import torch
        x = torch.full((64,), 20.0, dtype=torch.float16)
        total = (x * x).sum()  # 25600
        """,
        tmp_path,
    )

    assert ran.diagnosis.verdict == "healthy", ran.told()
    assert ran.rules == ["close-to-float16-limit"], ran.told()
    assert ran.diagnosis.findings[0].where.line == ran.line_of("# 25600")


HEALTHY = {
    "a scaler that finds its scale": """
        import torch
        from torch import nn
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
        for step in range(30):
            x = torch.randn(32, 8)
            with torch.autocast("cpu", dtype=torch.float16):
                loss = (model(x) - x[:, :1]).float().square().mean()
            optimizer.zero_grad(); scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()
    """,
    "bfloat16 under autocast": """
        import torch
        from torch import nn
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        for step in range(30):
            x = 500.0 * torch.randn(32, 8)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = (model(x) / 500.0 - x[:, :1] / 500.0).float().square().mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "a mask at the end of float16": """
        import torch
        scores = torch.randn(4, 6, 6, dtype=torch.float16)
        mask = torch.ones(6, 6, dtype=torch.bool).triu(1)
        weights = scores.masked_fill(mask, float("-inf")).softmax(-1)
        other = (scores + torch.finfo(torch.float16).min * mask.half()).softmax(-1)
    """,
    "clamped on purpose": """
        import torch
        x = torch.full((8,), 300.0, dtype=torch.float16)
        y = (x * x).clamp(max=6e4).float().sum()
    """,
    "half precision inference": """
        import torch
        from torch import nn
        model = nn.Sequential(nn.Linear(16, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 4)).half().eval()
        with torch.no_grad():
            out = model(torch.randn(8, 16).half()).softmax(-1)
    """,
    "relu gradients that are mostly zero": """
        import torch
        from torch import nn
        model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
        nn.init.constant_(model[0].bias, -1.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        x = torch.randn(64, 8)
        for step in range(20):
            with torch.autocast("cpu", dtype=torch.float16):
                loss = (model(x) - x[:, :1]).float().square().sum()
            optimizer.zero_grad(); (loss / 64).backward(); optimizer.step()
    """,
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_sound_program_stays_healthy(name: str, tmp_path: Path) -> None:
    ran = run_program(HEALTHY[name], tmp_path)

    assert ran.error is None, ran.told()
    assert ran.diagnosis.verdict == "healthy", ran.told()
