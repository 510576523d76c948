"""a GAN whose critic has no bound: its scores, and with them the generator's loss, run away"""

import torch
from torch import nn

torch.manual_seed(0)
generator = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
critic = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
opt_g = torch.optim.SGD(generator.parameters(), lr=0.06, momentum=0.5)
opt_c = torch.optim.SGD(critic.parameters(), lr=0.06, momentum=0.5)
for _ in range(200):
    angle = 6.283 * torch.rand(64)
    real = torch.stack([angle.cos(), angle.sin()], 1)
    fake = generator(torch.randn(64, 4))
    opt_c.zero_grad()
    loss_c = critic(fake.detach()).mean() - critic(real).mean()  # no penalty, no clipping of weights
    loss_c.backward()
    opt_c.step()
    opt_g.zero_grad()
    loss_g = -critic(generator(torch.randn(64, 4))).mean()
    loss_g.backward()
    opt_g.step()
