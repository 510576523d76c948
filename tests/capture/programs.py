"""Small training programs of many kinds; each returns every number that recording must not change."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

Program = Callable[[], list[torch.Tensor]]
PROGRAMS: dict[str, Program] = {}


def program(function: Program) -> Program:
    PROGRAMS[function.__name__] = function
    return function


def _train(model: nn.Module, optimizer: torch.optim.Optimizer, loss_of: Callable[[], torch.Tensor], steps: int):
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().clone())
    return [*losses, *(each.detach().clone() for each in model.parameters()), *(b.clone() for b in model.buffers())]


@program
def mlp_with_dropout():
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 3))
    x, y = torch.randn(64, 8), torch.randint(0, 3, (64,))
    return _train(model, torch.optim.AdamW(model.parameters(), 1e-2), lambda: F.cross_entropy(model(x), y), 12)


@program
def convolutions_with_batch_norm():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(144, 2))
    x, y = torch.randn(16, 1, 8, 8), torch.randint(0, 2, (16,))
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, nesterov=True)
    return _train(model, optimizer, lambda: F.cross_entropy(model(x), y), 10)


@program
def lstm_with_clipping():
    model = nn.LSTM(4, 8, num_layers=2, dropout=0.1, batch_first=True)
    x = torch.randn(6, 12, 4)

    def loss_of():
        loss = model(x)[0].pow(2).mean()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        return loss

    return _train(model, torch.optim.RMSprop(model.parameters(), 1e-3), loss_of, 8)


@program
def transformer_encoder():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    x, mask = torch.randn(4, 6, 16), torch.zeros(4, 6, dtype=torch.bool)
    mask[0, 4:] = True
    return _train(
        model,
        torch.optim.Adam(model.parameters(), 1e-3),
        lambda: model(x, src_key_padding_mask=mask).pow(2).mean(),
        6,
    )


@program
def adversarial_pair():
    generator, critic = nn.Linear(4, 2), nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    of_generator = torch.optim.Adam(generator.parameters(), 1e-3)
    of_critic = torch.optim.Adam(critic.parameters(), 1e-3)
    losses = []
    for _ in range(8):
        fake, real = generator(torch.randn(16, 4)), torch.randn(16, 2)
        mixed = (0.5 * real + 0.5 * fake.detach()).requires_grad_()
        slope = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)[0]
        loss = critic(fake.detach()).mean() - critic(real).mean() + ((slope.norm(dim=1) - 1) ** 2).mean()
        of_critic.zero_grad()
        loss.backward()
        of_critic.step()
        of_generator.zero_grad()
        (-critic(fake).mean()).backward()
        of_generator.step()
        losses.append(loss.detach().clone())
    return [*losses, *generator.parameters(), *critic.parameters()]


@program
def float16_with_scaler():
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer, scaler = torch.optim.SGD(model.parameters(), 0.01), torch.amp.GradScaler("cpu", init_scale=2.0**26)
    x = torch.randn(32, 8)
    losses = []
    for _ in range(20):
        with torch.autocast("cpu", dtype=torch.float16):
            out = model(x)
        loss = (out.float() - x[:, :1]).pow(2).mean()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.detach().clone())
    return [*losses, *model.parameters(), torch.tensor(scaler.get_scale())]


@program
def bfloat16_autocast():
    model = nn.Sequential(nn.Linear(8, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 1))
    x = torch.randn(32, 8)

    def loss_of():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return (model(x).float() - x[:, :1]).pow(2).mean()

    return _train(model, torch.optim.AdamW(model.parameters(), 1e-3), loss_of, 10)


@program
def checkpointed_with_lbfgs():
    blocks = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Dropout(0.1)) for _ in range(4))
    optimizer = torch.optim.LBFGS(blocks.parameters(), lr=0.1, max_iter=4)
    x = torch.randn(16, 6)
    losses = []

    def closure():
        optimizer.zero_grad()
        h = x
        for number, block in enumerate(blocks):
            h = checkpoint(block, h, use_reentrant=bool(number % 2))
        loss = (h - 0.1).pow(2).mean()
        loss.backward()
        return loss

    for _ in range(4):
        losses.append(optimizer.step(closure).detach().clone())
    return [*losses, *blocks.parameters()]


@program
def sparse_embedding():
    model = nn.Embedding(50, 6, sparse=True)
    ids = torch.randint(0, 50, (30,))
    return _train(model, torch.optim.SparseAdam(model.parameters(), 1e-2), lambda: model(ids).pow(2).mean(), 6)


@program
def plain_loop_without_optimizer():
    w = torch.randn(5, 1, requires_grad=True)
    x = torch.randn(40, 5)
    losses = []
    for _ in range(10):
        loss = (x @ w - x.sum(1, keepdim=True)).pow(2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            w.grad = None
        losses.append(loss.detach().clone())
    return [*losses, w.detach().clone()]


@program
def complex_signal():
    filter_ = nn.Parameter(torch.randn(16, dtype=torch.complex64))
    x = torch.randn(8, 30)
    optimizer = torch.optim.Adam([filter_], 1e-2)
    losses = []
    for _ in range(6):
        y = torch.fft.irfft(torch.fft.rfft(x) * filter_, n=30)
        loss = (y - x.roll(1, -1)).pow(2).mean() + filter_.abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().clone())
    return [*losses, filter_.detach().clone()]


@program
def functional_transforms():
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    parameters = {name: each.detach() for name, each in model.named_parameters()}
    x, y = torch.randn(10, 3), torch.randn(10, 1)

    def loss_of(parameters, x, y):
        return (torch.func.functional_call(model, parameters, (x,)) - y).pow(2).mean()

    each = torch.func.vmap(torch.func.grad(loss_of), in_dims=(None, 0, 0))(parameters, x, y)
    hessian = torch.func.hessian(lambda v: v.sin().prod())(torch.randn(3))
    return [*(value.clone() for value in each.values()), hessian]


@program
def frozen_and_averaged():
    model = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 1))
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)
    average = copy.deepcopy(model)
    x = torch.randn(20, 4)
    out = _train(model, torch.optim.Adagrad(model[2].parameters(), 0.1), lambda: model(x).pow(2).mean(), 6)
    with torch.no_grad():
        for mean, now in zip(average.parameters(), model.parameters(), strict=True):
            mean.lerp_(now, 0.1)
        out += [average(torch.randn(5, 4)), torch.rand(3)]
    return out


@program
def turns_nan():
    x = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)
    optimizer = torch.optim.Adam([x], 0.1)
    losses = []
    for _ in range(5):
        loss = (x.sqrt() * torch.rand(3)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().clone())
    return [*losses, x.detach().clone()]
