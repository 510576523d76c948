"""WGAN with gradient penalty (double backward)"""

from itertools import pairwise

import torch
from torch import nn


def moons(n):
    angle = torch.pi * torch.rand(n)
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)
    return torch.where(torch.rand(n, 1) < 0.5, upper, lower) + 0.05 * torch.randn(n, 2)


def network(*sizes):
    layers = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


def gradient_penalty(critic, real, fake):
    mix = torch.rand(len(real), 1)
    between = (mix * real + (1 - mix) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return ((gradient.norm(2, dim=1) - 1) ** 2).mean()


torch.manual_seed(0)
generator, critic = network(4, 64, 64, 2), network(2, 64, 64, 1)
opt_g = torch.optim.Adam(generator.parameters(), lr=1e-4, betas=(0.0, 0.9))
opt_c = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))

for step in range(260):
    for _ in range(5):
        real = moons(64)
        fake = generator(torch.randn(64, 4)).detach()
        distance = critic(real).mean() - critic(fake).mean()
        loss_c = -distance + 10 * gradient_penalty(critic, real, fake)
        opt_c.zero_grad()
        loss_c.backward()
        opt_c.step()
    loss_g = -critic(generator(torch.randn(64, 4))).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    if step % 20 == 0:
        print(f"{step:4d}  critic {loss_c.item():.3f}  Wasserstein estimate {distance.item():.3f}")
