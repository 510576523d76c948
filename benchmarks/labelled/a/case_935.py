import torch
from torch import nn


class RentalModel(nn.Module):
    """log of the expected number of bicycles rented in an hour"""

    def __init__(self, n_features, mean_count):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(n_features, 32), nn.GELU(), nn.Linear(32, 32), nn.GELU())
        self.log_rate = nn.Linear(32, 1)
        with torch.no_grad():
            self.log_rate.bias.fill_(mean_count)

    def forward(self, x):
        return self.log_rate(self.trunk(x)).squeeze(-1)


def load(n=1500):
    hour = torch.randint(0, 24, (n,)).float()
    temp = torch.randn(n)
    rain = (torch.rand(n) < 0.2).float()
    angle = hour * 2 * torch.pi / 24
    x = torch.stack([angle.sin(), angle.cos(), (2 * angle).cos(), temp, rain], 1)
    rate = torch.exp(2.3 - 0.8 * angle.cos() + 0.3 * (2 * angle).cos() + 0.4 * temp - 0.7 * rain)
    return x, torch.poisson(rate)


def main():
    torch.manual_seed(15)
    x, count = load()
    model = RentalModel(x.size(1), count.mean())
    criterion = nn.PoissonNLLLoss(log_input=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        total = 0.0
        for idx in torch.randperm(len(x)).split(100):
            loss = criterion(model(x[idx]), count[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(idx)
        print(f"epoch {epoch}: poisson nll {total / len(x):.4f}")


main()
