import argparse
import torch
from torch import nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--lr", type=float, default=0.003)
parser.add_argument("--latent", type=int, default=6)
args, _ = parser.parse_known_args()


class VAE(nn.Module):
    def __init__(self, n_pixels, latent):
        super().__init__()
        self.enc = nn.Linear(n_pixels, 100)
        self.mu = nn.Linear(100, latent)
        self.logvar = nn.Linear(100, latent)
        self.dec = nn.Sequential(nn.Linear(latent, 100), nn.ReLU(), nn.Linear(100, n_pixels))

    def forward(self, x):
        h = F.relu(self.enc(x))
        mu, logvar = self.mu(h), self.logvar(h).clamp(-6, 6)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return self.dec(z), mu, logvar


def elbo_loss(logits, x, mu, logvar):
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kld = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum() / len(x)
    return bce + kld


def blobs(n):
    c = torch.rand(n, 2) * 8 + 2
    r = torch.rand(n, 1, 1) * 1.5 + 1.5
    g = torch.arange(12.0)
    d2 = (g[None, :, None] - c[:, 0, None, None]) ** 2 + (g[None, None, :] - c[:, 1, None, None]) ** 2
    return (d2 < r ** 2).float().flatten(1)


torch.manual_seed(6)
train = blobs(1600)
model = VAE(144, args.latent)
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
for epoch in range(args.epochs):
    total = 0.0
    for x in train[torch.randperm(len(train))].split(64):
        loss = elbo_loss(x=x, **dict(zip(("logits", "mu", "logvar"), model(x))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    print("====> Epoch: {} Average loss: {:.4f}".format(epoch, total / len(train)))
