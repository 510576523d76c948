import torch
from torch import nn

torch.manual_seed(61)
N = 4000
user = torch.randn(N, 6)
item = torch.randn(N, 6)
appeal = (user * item).sum(1) / 6 ** 0.5
propensity = torch.sigmoid(6.0 * appeal + 1.0)
kept = torch.rand(N) < propensity + 0.02
x = torch.cat([user, item, user * item], 1)
stars = 3 + torch.tanh(appeal) + 0.5 * torch.randn(N)
X, Y, shown = x[kept], stars[kept], propensity[kept]


def ips_fit(epochs=20):
    net = nn.Sequential(nn.Linear(18, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.5)
    weight = 1.0 / shown
    for epoch in range(epochs):
        for idx in torch.randperm(len(X)).split(64):
            error = net(X[idx]).squeeze(1) - Y[idx]
            loss = (weight[idx] * error.square()).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
        if epoch % 2 == 0:
            with torch.no_grad():
                all_mse = (net(x).squeeze(1) - stars).square().mean().item()
            print(f"epoch {epoch:2d} weighted loss {loss.item():.4f} mse on all pairs {all_mse:.4f}")


ips_fit()
