import torch
from torch import nn

torch.manual_seed(47)
SCALE = 2.0 ** 15
RECON_WEIGHT = 1e-4
PIXELS = 64


class SmallAE(nn.Module):
    def __init__(self, n=PIXELS, code=12):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(n, 48), nn.Tanh(), nn.Linear(48, code))
        self.dec = nn.Sequential(nn.Linear(code, 48), nn.Tanh(), nn.Linear(48, n))

    def forward(self, x):
        return self.dec(self.enc(x))


basis = torch.randn(6, PIXELS) / 6 ** 0.5
patches = (torch.randn(8192, 6) @ basis).half()

model = SmallAE().half()
master = [p.detach().float().clone().requires_grad_() for p in model.parameters()]
optimizer = torch.optim.Adam(master, lr=3e-3)


def copy_to_model():
    with torch.no_grad():
        for p, m in zip(model.parameters(), master):
            p.copy_(m)


for step in range(120):
    x = patches[torch.randint(0, len(patches), (1024,))]
    out = model(x)
    mse = ((out - x).float() ** 2).mean()
    loss = RECON_WEIGHT * mse
    (loss * SCALE).backward()
    for p, m in zip(model.parameters(), master):
        m.grad = p.grad.float() / SCALE
        p.grad = None
    optimizer.step()
    copy_to_model()
    if step % 12 == 0:
        print(f"step {step} loss {loss.item():.4e} mse {mse.item():.4f}")
print("final mse", mse.item())
