import argparse
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--latent", type=int, default=4)
parser.add_argument("--beta", type=float, default=0.5)
parser.add_argument("--eps", type=float, default=1e-6)
parser.add_argument("--lr", type=float, default=5e-3)
args = parser.parse_args()
torch.manual_seed(0)
SIDE = 12


def glyphs(n):
    img = torch.zeros(n, SIDE, SIDE)
    img[:, 0], img[:, -1], img[:, :, 0], img[:, :, -1] = 1, 1, 1, 1
    top = torch.randint(2, 7, (n,))
    left = torch.randint(2, 7, (n,))
    for i in range(n):
        img[i, top[i]:top[i] + 3, left[i]:left[i] + 3] = 1
    return img.flatten(1)


class GlyphVAE(nn.Module):
    def __init__(self, latent, hidden=128):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(SIDE * SIDE, hidden), nn.ReLU())
        self.mu = nn.Linear(hidden, latent)
        self.logvar = nn.Linear(hidden, latent)
        self.dec = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, SIDE * SIDE))

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + (0.5 * logvar).exp() * torch.randn_like(mu)
        return torch.sigmoid(self.dec(z)), mu, logvar


def elbo_loss(recon, x, mu, logvar):
    p = recon.clamp(args.eps, 1 - args.eps)
    bce = -(x * torch.log(p) + (1 - x) * torch.log(1 - p)).sum(1)
    kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum(1)
    return (bce + args.beta * kl).mean()


model = GlyphVAE(args.latent)
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
for step in range(300):
    x = glyphs(64)
    recon, mu, logvar = model(x)
    loss = elbo_loss(recon, x, mu, logvar)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        print(f"step {step} loss {loss.item():.4f}")
