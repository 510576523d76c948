import torch
from torch import nn

torch.manual_seed(13)
Z, BATCH, STEPS = 8, 128, 300


class Gen(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(Z, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 2))

    def forward(self, z):
        return self.net(z)


class Disc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))

    def forward(self, x):
        return self.net(x).squeeze(1)


def real_batch(n):
    centres = torch.tensor([[4.0, 3.0], [5.0, 5.0], [3.0, 5.0]])
    return centres[torch.randint(0, 3, (n,))] + 0.3 * torch.randn(n, 2)


G, D = Gen(), Disc()
opt_g = torch.optim.SGD(G.parameters(), lr=0.01, momentum=0.5)
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(BATCH), torch.zeros(BATCH)

for step in range(STEPS):
    for _ in range(2):
        fake = G(torch.randn(BATCH, Z)).detach()
        d_loss = bce(D(real_batch(BATCH)), ones) + bce(D(fake), zeros)
        opt_d.zero_grad()
        d_loss.backward()
        opt_d.step()

    fake = G(torch.randn(BATCH, Z))
    g_loss = torch.log(1 - torch.sigmoid(D(fake)) + 1e-8).mean()
    opt_g.zero_grad()
    g_loss.backward()
    opt_g.step()

    if step % 25 == 0 or step == STEPS - 1:
        gap = (fake.mean(0) - real_batch(1000).mean(0)).norm().item()
        print(f"step {step:3d} d_loss {d_loss.item():.4f} g_loss {g_loss.item():.4f} distance of means {gap:.3f}")
