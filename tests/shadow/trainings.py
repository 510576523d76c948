"""Small trainings of every kind, each a function that gives back everything that must not change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.projections = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        query, key, value = self.projections(self.norm(x)).view(batch, length, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return x + self.dropout(self.out(attended.transpose(1, 2).reshape(batch, length, width)))


class Transformer(nn.Module):
    def __init__(self, *, with_checkpoints: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        self.blocks = nn.ModuleList([Block(16) for _ in range(2)])
        self.head = nn.Linear(16, 11)
        self.with_checkpoints = with_checkpoints

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embedding(tokens)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.with_checkpoints else block(x)
        return self.head(x)


def _train(
    model: nn.Module,
    loss_of: Callable[[nn.Module], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    steps: int = 3,
    scaler: Any = None,
) -> list[torch.Tensor]:
    kept = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model)
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        kept.append(loss.detach().clone())
    gradients = [each.grad for each in model.parameters() if each.grad is not None]
    state = list(model.state_dict().values())
    moments = [value for each in optimizer.state.values() for value in each.values() if isinstance(value, torch.Tensor)]
    return [*kept, *gradients, *state, *moments, torch.get_rng_state()]


def mlp() -> list[torch.Tensor]:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=True), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 3))
    x, y = torch.randn(10, 8), torch.randint(0, 3, (10,))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, foreach=True)
    return _train(model, lambda m: F.cross_entropy(m(x), y), optimizer)


def mlp_fused() -> list[torch.Tensor]:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    x = torch.randn(10, 8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    return _train(model, lambda m: m(x).square().mean(), optimizer)


def cnn() -> list[torch.Tensor]:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2),
        nn.Conv2d(4, 6, 3), nn.GroupNorm(2, 6), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    ).to(memory_format=torch.channels_last)  # fmt: skip
    x, y = torch.randn(5, 1, 8, 8).to(memory_format=torch.channels_last), torch.randint(0, 4, (5,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    return _train(model, lambda m: F.cross_entropy(m(x), y), optimizer)


def transformer(**options: Any) -> list[torch.Tensor]:
    torch.manual_seed(4)
    model = Transformer(**options)
    tokens = torch.randint(0, 11, (3, 7))

    def loss_of(m: nn.Module) -> torch.Tensor:
        return F.cross_entropy(m(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    return _train(model, loss_of, torch.optim.Adam(model.parameters(), lr=1e-2, foreach=False))


def checkpointed() -> list[torch.Tensor]:
    return transformer(with_checkpoints=True)


def autocast() -> list[torch.Tensor]:
    torch.manual_seed(5)
    model = Transformer()
    tokens = torch.randint(0, 11, (3, 7))

    def loss_of(m: nn.Module) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return F.cross_entropy(m(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())

    return _train(model, loss_of, torch.optim.AdamW(model.parameters(), lr=1e-2))


def scaled_float16() -> list[torch.Tensor]:
    torch.manual_seed(6)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    x = torch.randn(10, 8)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**17)

    def loss_of(m: nn.Module) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.float16):
            return m(x).float().square().sum()

    return _train(model, loss_of, torch.optim.SGD(model.parameters(), lr=0.1), steps=4, scaler=scaler)


def recurrent() -> list[torch.Tensor]:
    torch.manual_seed(7)
    rnn, head = nn.GRU(4, 6, batch_first=True), nn.Linear(6, 1)
    model = nn.ModuleList([rnn, head])
    x = torch.randn(3, 5, 4)
    return _train(model, lambda _: head(rnn(x)[0]).square().mean(), torch.optim.RMSprop(model.parameters(), lr=1e-2))


def lstm() -> list[torch.Tensor]:
    torch.manual_seed(8)
    rnn, head = nn.LSTM(4, 6, batch_first=True, num_layers=2, bidirectional=True), nn.Linear(12, 1)
    model = nn.ModuleList([rnn, head])
    x = torch.randn(3, 5, 4)
    return _train(model, lambda _: head(rnn(x)[0]).square().mean(), torch.optim.Adagrad(model.parameters(), lr=1e-2))


TRAININGS = (mlp, mlp_fused, cnn, transformer, checkpointed, autocast, scaled_float16, recurrent, lstm)
