import torch
from torch import nn

torch.manual_seed(16)
dx, dt = 1 / 250, 1 / 500


def wave(xt):
    x, t = xt[:, :1], xt[:, 1:]
    return 0.5 * torch.sin(3.1416 * x) * torch.cos(2 * t) + 0.3 * x * t


net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
scaler = torch.amp.GradScaler("cpu")
samples = torch.rand(512, 2)
target = wave(samples)
for step in range(300):
    with torch.autocast("cpu", dtype=torch.float16):
        u = net(samples)
    misfit = u.float() - target
    loss = dx * dt * misfit.square().mean()
    opt.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(opt)
    scaler.update()
    if step % 30 == 0:
        print(f"step {step:3d} loss {loss.item():.3e} rms misfit {misfit.square().mean().sqrt().item():.4f}")
