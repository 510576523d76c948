import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(3)
torch.manual_seed(3)
n = 800
area = rng.uniform(40, 220, n)
rooms = np.round(area / 30 + rng.normal(0, 0.7, n))
age = rng.uniform(0, 80, n)
distance = rng.gamma(2.0, 4.0, n)
price = 60 + 1.9 * area + 12 * rooms - 0.8 * age - 4.0 * distance + rng.normal(0, 12, n)

features = np.stack([area, rooms, age, distance], 1)
features = (features - features.mean(0)) / features.std(0)
X = torch.tensor(features, dtype=torch.float32)
y = torch.tensor(price, dtype=torch.float32).unsqueeze(1)


class Residence(nn.Module):
    def __init__(self, widths=(32, 32, 32)):
        super().__init__()
        sizes = [X.shape[1], *widths]
        self.hidden = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])])
        self.act = nn.ReLU()
        self.out = nn.Linear(sizes[-1], 1)

    def forward(self, x):
        for layer in self.hidden:
            x = self.act(layer(x))
        return self.out(x)


model = Residence()
opt = torch.optim.SGD(model.parameters(), lr=3e-4)
losses = []
for epoch in range(15):
    for idx in torch.randperm(n).split(50):
        loss = nn.functional.mse_loss(model(X[idx]), y[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    with torch.no_grad():
        p = model(X)
    print(f"epoch {epoch} mse {losses[-1]:.1f} prediction {p.min().item():.1f} .. {p.max().item():.1f}")
