import torch
from torch import nn

torch.manual_seed(0)
BATCH, Z = 64, 4


def real_batch():
    angle = 6.2832 * torch.rand(BATCH)
    ring = torch.stack([angle.cos(), angle.sin()], 1)
    return ring * 0.5 + torch.tensor([4.0, -3.0]) + 0.05 * torch.randn(BATCH, 2)


generator = nn.Sequential(nn.Linear(Z, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
opt_g = torch.optim.SGD(generator.parameters(), lr=0.02)
opt_d = torch.optim.Adam(critic.parameters(), lr=1e-3)
bce = nn.BCEWithLogitsLoss()
ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

distances = []
for step in range(250):
    for _ in range(4):
        fake = generator(torch.randn(BATCH, Z)).detach()
        loss_d = bce(critic(real_batch()), ones) + bce(critic(fake), zeros)
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
    fake = generator(torch.randn(BATCH, Z))
    score = critic(fake)
    loss_g = -bce(score, zeros)
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    gap = (fake.detach().mean(0) - torch.tensor([4.0, -3.0])).norm().item()
    distances.append(gap)
    if step % 25 == 0:
        print(f"{step} D {loss_d.item():.4f} G {loss_g.item():.4f} distance of the means {gap:.3f}")
print("final distance", sum(distances[-20:]) / 20)
