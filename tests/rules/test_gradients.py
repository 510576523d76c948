"""Gradients that vanish or explode, over depth, over passes and over steps: what fires, where, and what stays quiet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rules.running import Ran, run_program

DEEP_TANH = """
    import torch
    from torch import nn

    class Deep(nn.Module):
        def __init__(self, depth=14):
            super().__init__()
            self.enter = nn.Linear(6, 20)
            self.hidden = nn.ModuleList([nn.Linear(20, 20) for _ in range(depth)])  # the layers
            self.leave = nn.Linear(20, 1)

        def forward(self, x):
            h = self.enter(x)
            for layer in self.hidden:
                h = torch.sigmoid(layer(h))  # the activation
            return self.leave(h)

    model = Deep()
    x = torch.randn(64, 6)
    y = torch.sign(x[:, :1] * x[:, 1:2])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(25):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

BAD_RECURRENT = """
    import torch
    from torch import nn

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(12, 8)
            self.gru = nn.GRU(8, 12, batch_first=True)  # made here
            self.head = nn.Linear(12, 2)

        def forward(self, tokens):
            states, _ = self.gru(self.embed(tokens))
            return self.head(states[:, -1])

    model = Reader()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    for step in range(20):
        tokens = torch.randint(2, 12, (48, 60))
        label = torch.arange(48) % 2
        tokens[:, 0] = label
        loss = nn.functional.cross_entropy(model(tokens), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

BAD_LSTM = BAD_RECURRENT.replace("nn.GRU", "nn.LSTM")

BY_HAND_LOOP = """
    import torch
    from torch import nn

    cell = nn.RNNCell(1, 10)
    head = nn.Linear(10, 1)
    optimizer = torch.optim.Adam([*cell.parameters(), *head.parameters()], lr=1e-3)
    for step in range(16):
        x = 0.1 * torch.randn(32, 50, 1)
        bit = (torch.arange(32) % 2).float()
        x[:, 0, 0] = 2.0 * bit - 1.0
        h = torch.zeros(32, 10)
        for t in range(50):
            h = cell(x[:, t], h)  # the recurrence
        loss = nn.functional.binary_cross_entropy_with_logits(head(h).squeeze(-1), bit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

LINEAR_SYSTEM = """
    import torch

    torch.manual_seed(3)
    A = torch.nn.Parameter(torch.randn(6, 6))
    optimizer = torch.optim.SGD([A], lr=1e-2)
    for step in range(4):
        state = torch.ones(2, 6)
        for t in range(90):
            state = state @ A  # the system
        loss = (state - 1.0).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

OVERFLOWING_SYSTEM = """
    import torch

    gain = torch.nn.Parameter(torch.tensor(3.0))
    x = torch.ones(4)
    for t in range(100):
        x = gain * x + 0.1  # the recurrence
    loss = x.mean()
    loss.backward()
"""

CHAOS = """
    import torch

    mu = torch.nn.Parameter(torch.tensor(1.9, dtype=torch.float64))
    optimizer = torch.optim.SGD([mu], lr=0.05)
    target = torch.tensor(0.1, dtype=torch.float64)
    for step in range(10):
        x = torch.tensor(0.3, dtype=torch.float64)
        for t in range(100):
            x = 1.0 - mu * x * x  # the map
        loss = (x - target) ** 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

OVERFLOWING_DEPTH = """
    import torch
    from torch import nn

    blocks = nn.ModuleList([nn.Linear(48, 48) for _ in range(60)])
    for block in blocks:
        nn.init.normal_(block.weight, std=0.8)
    h = torch.randn(4, 48)
    for block in blocks:
        h = torch.relu(block(h))  # grows
    total = h.sum()
    loss = total * total
    loss.backward()
"""

RISING_LOSS = """
    import torch

    x = 10.0 * torch.randn(64, 5)
    y = x.sum(1, keepdim=True)
    model = torch.nn.Linear(5, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)  # far too large
    for step in range(30):
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

EXPLODING_TANH = """
    import torch
    from torch import nn

    layers = []
    for _ in range(24):
        layers += [nn.Linear(24, 24), nn.Tanh()]  # the layers
    model = nn.Sequential(*layers, nn.Linear(24, 1))
    for layer in model[:-1:2]:
        nn.init.normal_(layer.weight, std=0.6)
    x = torch.randn(32, 24)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(20):
        loss = (model(x) - x[:, :1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

LASTING_SPIKE = """
    import torch

    w = torch.nn.Parameter(torch.zeros(4))
    optimizer = torch.optim.SGD([w], lr=0.01)
    for step in range(150):
        x = torch.randn(16, 4)
        y = x.sum(1) + 0.1 * torch.randn(16)
        scale = 1e4 if step == 130 else 1.0
        loss = torch.nn.functional.l1_loss(x @ w, y) * scale
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

FIRING = [
    ("vanishing-gradient", "vanishing-gradient", DEEP_TANH, "# the activation"),
    ("vanishing-recurrence", "vanishing-gradient", BAD_RECURRENT, "# made here"),
    ("vanishing-recurrence", "vanishing-gradient", BAD_LSTM, "nn.LSTM("),
    ("vanishing-recurrence", "vanishing-gradient", BY_HAND_LOOP, "# the recurrence"),
    ("exploding-recurrence", "exploding-gradient", LINEAR_SYSTEM, "# the system"),
    ("exploding-recurrence", "exploding-gradient", OVERFLOWING_SYSTEM, "# the recurrence"),
    ("exploding-recurrence", "exploding-gradient", CHAOS, "# the map"),
    ("exploding-gradient", "exploding-gradient", EXPLODING_TANH, "# the layers"),
    ("gradient-spike", "exploding-gradient", LASTING_SPIKE, "loss = "),
]


@pytest.mark.parametrize(("rule", "cause", "program", "mark"), FIRING, ids=[f"{each[0]}-{each[3]}" for each in FIRING])
def test_the_rule_fires_at_its_line(rule: str, cause: str, program: str, mark: str, tmp_path: Path) -> None:
    ran = run_program(program, tmp_path)

    assert rule in ran.root_rules, ran.told()
    assert ran.diagnosis.verdict == cause, ran.told()
    assert ran.line_of(mark) in ran.root_lines, ran.told()


def test_growth_over_steps_is_told_from_growth_over_layers(tmp_path: Path) -> None:
    def grew(ran: Ran) -> str:
        values = next(each for each in ran.diagnosis.findings if each.rule == "diverged-values")
        return next(str(row.value) for row in values.evidence if row.name == "how it grew")

    depth, rising = run_program(OVERFLOWING_DEPTH, tmp_path), run_program(RISING_LOSS, tmp_path)
    assert "within one step" in grew(depth)
    assert "from step to step" in grew(rising)
    assert (depth.root_rules, depth.diagnosis.verdict) == (["weights-too-large"], "bad-init"), depth.told()
    assert (rising.root_rules, rising.diagnosis.verdict) == (["learning-rate-too-large"], "learning-rate"), (
        rising.told()
    )
    assert rising.root_lines == [rising.line_of("# far too large")]


HEALTHY = {
    "language model with a loss at every step": """
        import torch
        from torch import nn
        embed, rnn, head = nn.Embedding(10, 12), nn.RNN(12, 16, batch_first=True), nn.Linear(16, 10)
        optimizer = torch.optim.Adam([*embed.parameters(), *rnn.parameters(), *head.parameters()], lr=0.01)
        for step in range(30):
            start = torch.randint(0, 10, (16, 1))
            tokens = (start + torch.arange(41)) % 10
            states, _ = rnn(embed(tokens[:, :-1]))
            loss = nn.functional.cross_entropy(head(states).flatten(0, 1), tokens[:, 1:].flatten())
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "classification by the last state, trains": """
        import torch
        from torch import nn
        rnn, head = nn.GRU(3, 12, batch_first=True), nn.Linear(12, 2)
        optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.02)
        for step in range(30):
            x = torch.randn(32, 40, 3)
            label = (x[:, -3:, 0].sum(1) > 0).long()
            states, _ = rnn(x)
            loss = nn.functional.cross_entropy(head(states[:, -1]), label)
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "an LSTM that learns from what came last": """
        import torch
        from torch import nn
        rnn, head = nn.LSTM(3, 12, batch_first=True), nn.Linear(12, 2)
        optimizer = torch.optim.Adam([*rnn.parameters(), *head.parameters()], lr=0.03)
        for step in range(40):
            x = torch.randn(64, 40, 3)
            label = (x[:, -2:, 0].sum(1) > 0).long()
            states, _ = rnn(x)
            loss = nn.functional.cross_entropy(head(states[:, -1]), label)
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "deep relu with sound weights": """
        import torch
        from torch import nn
        layers = []
        for _ in range(12):
            layers += [nn.Linear(32, 32), nn.ReLU()]
        model = nn.Sequential(*layers, nn.Linear(32, 1))
        for layer in model[:-1:2]:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        x = torch.randn(64, 32)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        for step in range(20):
            loss = (model(x) - x[:, :1]).square().mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "residual, layer norm, attention": """
        import torch
        from torch import nn
        block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True, norm_first=True)
        model = nn.Sequential(nn.Linear(4, 16), nn.TransformerEncoder(block, 6, enable_nested_tensor=False))
        head = nn.Linear(16, 1)
        optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=1e-3)
        x = torch.randn(16, 10, 4)
        for step in range(20):
            loss = (head(model(x)).squeeze(-1) - x[..., 0]).square().mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "two sigmoid layers learning slowly": """
        import torch
        from torch import nn
        model = nn.Sequential(nn.Linear(2, 16), nn.Sigmoid(), nn.Linear(16, 16), nn.Sigmoid(), nn.Linear(16, 1))
        x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(25):
            loss = (model(x) - y).square().mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "converged, tiny gradients": """
        import torch
        x = torch.randn(32, 4)
        model = torch.nn.Sequential(*(torch.nn.Linear(4, 4) for _ in range(5)))
        for layer in model:
            torch.nn.init.eye_(layer.weight); torch.nn.init.zeros_(layer.bias)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for step in range(25):
            loss = (model(x) - x * (1 + 1e-6)).square().mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "clipped recurrence": """
        import torch
        A = torch.nn.Parameter(1.3 * torch.eye(4))
        optimizer = torch.optim.SGD([A], lr=0.05)
        x = torch.randn(8, 4)
        for step in range(20):
            h = x
            for t in range(40):
                h = torch.tanh(h @ A)
            loss = (h - torch.tanh(x)).square().mean()
            optimizer.zero_grad(); loss.backward()
            torch.nn.utils.clip_grad_norm_([A], 0.1)
            optimizer.step()
    """,
    "two optimizers against each other": """
        import torch
        from torch import nn
        G = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
        D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        g, d = torch.optim.Adam(G.parameters(), lr=1e-3), torch.optim.Adam(D.parameters(), lr=1e-3)
        bce = nn.functional.binary_cross_entropy_with_logits
        for step in range(20):
            real, fake = torch.randn(32, 2) + 2.0, G(torch.randn(32, 4))
            loss = bce(D(real), torch.ones(32, 1)) + bce(D(fake.detach()), torch.zeros(32, 1))
            d.zero_grad(); loss.backward(); d.step()
            loss = bce(D(fake), torch.ones(32, 1))
            g.zero_grad(); loss.backward(); g.step()
    """,
    "frozen layers and rare tokens": """
        import torch
        from torch import nn
        hidden = [nn.Linear(32, 32) for _ in range(4)]
        model = nn.Sequential(nn.Embedding(500, 8), nn.Flatten(), *hidden, nn.Linear(32, 2))
        for layer in model[2:4]:
            layer.requires_grad_(False)
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
        tokens = torch.randint(0, 500, (16, 4))
        label = tokens[:, 0] % 2
        for step in range(20):
            loss = nn.functional.cross_entropy(model(tokens), label)
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "convolutions with batch norm": """
        import torch
        from torch import nn
        layers = [nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()]
        for _ in range(4):
            layers += [nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()]
        model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x = torch.randn(16, 1, 8, 8)
        label = (x.mean((1, 2, 3)) > 0).long()
        for step in range(20):
            loss = nn.functional.cross_entropy(model(x), label)
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "stable filter": """
        import torch
        raw = torch.nn.Parameter(torch.zeros(4))
        optimizer = torch.optim.Adam([raw], lr=0.05)
        u = torch.randn(8, 60, 4)
        for step in range(15):
            a, x = torch.sigmoid(raw), torch.zeros(8, 4)
            for t in range(60):
                x = a * x + u[:, t]
            loss = (x - u[:, -8:].sum(1)).square().mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
    "an odd batch that does no harm": """
        import torch
        w = torch.nn.Parameter(torch.zeros(4))
        optimizer = torch.optim.Adam([w], lr=0.02)
        for step in range(150):
            x = torch.randn(16, 4)
            y = x.sum(1) + (1e3 if step == 120 else 0.0)
            loss = (x @ w - y).square().mean()
            optimizer.zero_grad(); loss.backward(); optimizer.step()
    """,
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_sound_program_stays_healthy(name: str, tmp_path: Path) -> None:
    ran = run_program(HEALTHY[name], tmp_path)

    assert ran.error is None, ran.told()
    assert ran.diagnosis.verdict == "healthy", ran.told()
