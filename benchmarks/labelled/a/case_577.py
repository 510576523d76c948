import torch
from torch import nn
import torch.nn.functional as F


class SignedLinear(nn.Module):
    def __init__(self, d_in, d_out, sign):
        super().__init__()
        self.raw = nn.Parameter(torch.randn(d_out, d_in) * 0.5 - 2.5)
        self.bias = nn.Parameter(torch.zeros(d_out))
        self.sign = sign

    def forward(self, x):
        return F.linear(x, self.sign * F.softplus(self.raw), self.bias)


class DemandCurve(nn.Module):
    """demand as a decreasing function of the price and of the waiting time"""

    def __init__(self, hidden=24):
        super().__init__()
        self.l1 = SignedLinear(2, hidden, sign=-1)
        self.l2 = SignedLinear(hidden, hidden, sign=-1)
        self.l3 = SignedLinear(hidden, 1, sign=-1)

    def forward(self, x):
        h = torch.relu(self.l1(x))
        h = torch.relu(self.l2(h))
        return self.l3(h).squeeze(-1)


def main():
    torch.manual_seed(42)
    price = torch.rand(700) * 3 + 0.2
    wait = torch.rand(700) * 2
    demand = 4.0 - 1.1 * price - 0.3 * price ** 1.5 - 0.5 * wait ** 2 + 0.1 * torch.randn(700)
    x = torch.stack([price, wait], 1)
    model = DemandCurve()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for epoch in range(40):
        for idx in torch.randperm(700).split(50):
            loss = F.mse_loss(model(x[idx]), demand[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 0 or epoch == 39:
            with torch.no_grad():
                print(f"epoch {epoch:3d} mse {F.mse_loss(model(x), demand).item():.4f}")


if __name__ == "__main__":
    main()
