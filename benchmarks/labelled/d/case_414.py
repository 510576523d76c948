import torch

torch.manual_seed(53)

ROOM, START, RATE = 301.5, 352.0, 0.045
STORAGE = torch.float16


def cooling_curve(room, start, rate, minutes):
    return room + (start - room) * torch.exp(-rate * minutes)


minutes = torch.linspace(0, 90, 181)
sensor = cooling_curve(ROOM, START, RATE, minutes) + 0.3 * torch.randn(181)

params = {
    "room": torch.tensor(287.0, dtype=STORAGE, requires_grad=True),
    "start": torch.tensor(345.0, dtype=STORAGE, requires_grad=True),
    "rate": torch.tensor(0.06, dtype=STORAGE, requires_grad=True),
}
lr = {"room": 0.1, "start": 0.1, "rate": 0.0005}


class SignAverager:
    """Rprop-like optimizer: moves every parameter by a fixed amount along the averaged gradient"""

    def __init__(self, params, lr, beta=0.8):
        self.params, self.lr, self.beta = params, lr, beta
        self.avg = {k: 0.0 for k in params}

    @torch.no_grad()
    def step(self, scale):
        for k, p in self.params.items():
            g = p.grad.float().item()
            self.avg[k] = self.beta * self.avg[k] + (1 - self.beta) * g
            size = abs(self.avg[k]) / (abs(g) + 1e-12)
            p.add_(-self.lr[k] * scale * min(size, 1.0) * (1 if self.avg[k] > 0 else -1))
            p.grad = None


opt = SignAverager(params, lr)
for it in range(250):
    fit = cooling_curve(params["room"].float(), params["start"].float(), params["rate"].float(), minutes)
    loss = ((fit - sensor) ** 2).mean()
    loss.backward()
    opt.step(scale=1.0 if it < 180 else 0.3)
    if it % 25 == 0:
        print(f"iter {it:3d} loss {loss.item():.4f} room {params['room'].item():.2f} start {params['start'].item():.2f} rate {params['rate'].item():.4f}")
print("final loss", loss.item())
