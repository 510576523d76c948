import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

torch.manual_seed(10)


class Regressor:
    def __init__(self, d_in, hidden=64, lr=1e-2, patience=1, factor=0.2):
        self.net = nn.Sequential(nn.Linear(d_in, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 1))
        self.opt = torch.optim.SGD(self.net.parameters(), lr=lr, momentum=0.9)
        self.scheduler = ReduceLROnPlateau(self.opt, mode="min", factor=factor, patience=patience)

    def loss(self, x, y):
        return nn.functional.mse_loss(self.net(x).squeeze(1), y)

    def fit(self, train, valid, epochs=60, batch=64):
        x, y = train
        for epoch in range(epochs):
            total = 0.0
            for idx in torch.randperm(len(x)).split(batch):
                loss = self.loss(x[idx], y[idx])
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(idx)
            with torch.no_grad():
                val = self.loss(*valid).item()
            self.scheduler.step(val)
            if epoch % 10 == 9:
                print(f"epoch {epoch} train {total / len(x):.4f} valid {val:.4f}")
        return val


def friedman(n):
    x = torch.rand(n, 6) * 2 - 1
    y = torch.sin(3.14159 * x[:, 0] * x[:, 1]) + 2 * x[:, 2] ** 2 + x[:, 3] - 0.5 * x[:, 4]
    return x, (y - 0.67) + 0.05 * torch.randn(n)


print("valid mse", Regressor(6).fit(friedman(1000), friedman(300)))
