from dataclasses import dataclass

import torch


@dataclass
class Setup:
    masses: int = 6
    dt: float = 0.05
    steps: int = 240
    iters: int = 40
    lr: float = 0.03


class Chain(torch.nn.Module):
    """masses between two walls, connected by springs of unknown stiffness"""

    def __init__(self, stiffness, dt):
        super().__init__()
        self.log_k = torch.nn.Parameter(stiffness.log())
        self.dt = dt

    def force(self, x):
        padded = torch.nn.functional.pad(x, (1, 1))
        tension = self.log_k.exp() * (padded[..., 1:] - padded[..., :-1])
        return tension[..., 1:] - tension[..., :-1]

    def forward(self, x, v, steps):
        path = []
        for _ in range(steps):
            a = self.force(x)
            x = x + self.dt * v
            v = v + self.dt * a
            path.append(x)
        return torch.stack(path)


def measure(k, x, v, dt, steps, fine=20):
    truth = Chain(k, dt / fine)
    path = []
    for _ in range(steps):
        for _ in range(fine):
            v = v + dt / fine * truth.force(x)
            x = x + dt / fine * v
        path.append(x)
    return torch.stack(path)


if __name__ == "__main__":
    torch.manual_seed(0)
    cfg = Setup()
    k_true = 20 + 6 * torch.rand(cfg.masses + 1)
    x0, v0 = 0.1 * torch.randn(8, cfg.masses), torch.zeros(8, cfg.masses)
    with torch.no_grad():
        observed = measure(k_true, x0, v0, cfg.dt, cfg.steps)
    model = Chain(torch.full((cfg.masses + 1,), 22.0), cfg.dt)
    opt = torch.optim.Adam(model.parameters(), lr=cfg.lr)
    for it in range(cfg.iters):
        loss = ((model(x0, v0, cfg.steps) - observed) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        if it % 6 == 0:
            print(f"iteration {it} loss {loss.item():.5g} |grad| {model.log_k.grad.norm().item():.3g}")
    print("stiffness", model.log_k.exp().tolist(), "true", k_true.tolist())
