import torch
from torch import nn
import torch.nn.functional as F


def make_homes(n, gen):
    area = torch.empty(n).uniform_(40, 240, generator=gen)
    rooms = (area / 28).round() + torch.randint(-1, 2, (n,), generator=gen)
    age = torch.empty(n).uniform_(0, 80, generator=gen)
    centre = torch.rand(n, generator=gen)
    noise = torch.randn(n, generator=gen)
    return {
        "features": torch.stack([(area - 140) / 58, (rooms - 5) / 2, (age - 40) / 23, (centre - 0.5) / 0.29], 1),
        "price": 45_000 + 4_300 * area - 1_500 * age + 210_000 * centre ** 2 + 15_000 * noise,
    }


class Trainer:
    def __init__(self, homes, lr=1e-3, batch=64):
        self.x = homes["features"]
        self.y = homes["price"][:, None]
        self.net = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=lr)
        self.batch = batch
        self.losses = []

    def fit(self, epochs):
        for epoch in range(epochs):
            for idx in torch.randperm(len(self.x)).split(self.batch):
                loss = F.mse_loss(self.net(self.x[idx]), self.y[idx])
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                self.losses.append(loss.item())
            if epoch % 5 == 0:
                print(f"[{epoch:02d}] loss {self.losses[-1]:.5g}  R2 {self.r2():.4f}")

    @torch.no_grad()
    def r2(self):
        rest = (self.y - self.net(self.x)).pow(2).mean()
        return (1 - rest / self.y.var()).item()


torch.manual_seed(0)
trainer = Trainer(make_homes(1200, torch.Generator().manual_seed(8)))
trainer.fit(30)
print("final R2", trainer.r2())
