import math
import torch
from torch import nn
from torch.func import functional_call, grad_and_value

torch.manual_seed(41)
T = 50
betas = torch.linspace(1e-3, 0.2, T)
alpha_bar = torch.cumprod(1 - betas, 0)


class Denoiser(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2 + 8, width), nn.SiLU(),
            nn.Linear(width, width), nn.SiLU(),
            nn.Linear(width, 2),
        )

    def forward(self, x, t):
        freq = torch.exp(-math.log(50.0) * torch.arange(4) / 4)
        ang = t[:, None].float() * freq
        return self.net(torch.cat([x, ang.sin(), ang.cos()], 1))


def two_moons(n):
    th = math.pi * torch.rand(n)
    side = torch.randint(0, 2, (n,)).float()
    x = torch.cos(th) * (1 - 2 * side) + side
    y = torch.sin(th) * (1 - 2 * side) + 0.5 * side
    return torch.stack([x - 0.5, y - 0.25], 1) / 0.6 + 0.05 * torch.randn(n, 2)


model = Denoiser()
params = {k: v.detach().clone() for k, v in model.named_parameters()}
velocity = {k: torch.zeros_like(v) for k, v in params.items()}
LR, MOMENTUM = 0.02, 0.9


def objective(params, x0, t, noise):
    a = alpha_bar[t][:, None]
    xt = a.sqrt() * x0 + (1 - a).sqrt() * noise
    pred = functional_call(model, params, (xt, t))
    return ((pred - noise) ** 2).mean()


step_fn = grad_and_value(objective)
for it in range(300):
    x0 = two_moons(256)
    t = torch.randint(0, T, (256,))
    g, value = step_fn(params, x0, t, torch.randn_like(x0))
    for k in params:
        velocity[k] = MOMENTUM * velocity[k] + g[k]
        params[k] = params[k] - LR * velocity[k]
    if it % 30 == 0:
        print(f"iteration {it} denoising loss {value.item():.4f}")
print("done", value.item())
