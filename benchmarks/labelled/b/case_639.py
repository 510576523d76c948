import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(5)


def bars(n, size=10):
    img = torch.zeros(n, size, size)
    row = torch.randint(0, size, (n,))
    col = torch.randint(0, size, (n,))
    img[torch.arange(n), row] = 1.0
    img[torch.arange(n), :, col] = 1.0
    return img.flatten(1)


class VAE(nn.Module):
    def __init__(self, d=100, h=96, z=6):
        super().__init__()
        self.enc = nn.Linear(d, h)
        self.stats = nn.Linear(h, 2 * z)
        self.dec = nn.Sequential(nn.Linear(z, h), nn.ReLU(), nn.Linear(h, d))

    def forward(self, x):
        mu, logvar = self.stats(F.relu(self.enc(x))).chunk(2, 1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).mean()
        return self.dec(z), kl


vae = VAE()
optimizer = torch.optim.RMSprop(vae.parameters(), lr=2e-3, alpha=0.9, eps=1.0)
for step in range(900):
    x = bars(64)
    recon, kl = vae(x)
    bce = F.binary_cross_entropy_with_logits(recon, x)
    loss = bce + 0.01 * kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 90 == 0:
        print(f"step {step:4d} reconstruction {bce.item():.4f} kl {kl.item():.4f}")
