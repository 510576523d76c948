import torch
from torch import nn


class SlimRMSprop(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-3, alpha=0.998, eps=1e-8):
        super().__init__(params, dict(lr=lr, alpha=alpha, eps=eps))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["sq"] = torch.zeros_like(p, dtype=torch.float32)
                a = group["alpha"]
                state["sq"].copy_(a * state["sq"].float() + (1 - a) * p.grad.square())
                p.sub_(group["lr"] * p.grad / (state["sq"].float().sqrt() + group["eps"]))


def tide(n):
    t = 200 * torch.rand(n, 1)
    level = 35 + 1.5 * torch.sin(t / 2) + torch.cos(t / 5.3)
    clock = torch.cat([torch.sin(t / 2), torch.cos(t / 2), torch.sin(t / 5.3), torch.cos(t / 5.3)], 1)
    return clock, level


torch.manual_seed(3)
net = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 1))
opt = SlimRMSprop(net.parameters(), lr=3e-4)
losses = []
for step in range(6000):
    clock, level = tide(64)
    loss = (net(clock) - level).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
    if step % 600 == 0:
        print(f"{step:5d} mse {losses[-1]:.5f}")
print("mean of the last 100:", sum(losses[-100:]) / 100)
