"""a VAE whose decoder learns a variance without a floor: on constant pixels it runs to zero"""

import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8))
decoder = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64))
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-2)
basis = torch.randn(3, 32)
for _ in range(400):
    x = torch.randn(64, 3) @ basis
    x[:, :16] = 0.0  # the border of every image
    mean, log_variance = encoder(x).chunk(2, 1)
    z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
    output, log_sigma = decoder(z).chunk(2, 1)
    likelihood = (0.5 * ((x - output) / log_sigma.exp()).square() + log_sigma).sum(1)
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    loss = (likelihood + divergence).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
