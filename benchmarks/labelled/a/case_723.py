import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(30)
N = 800
area = rng.uniform(300, 4000, N)
year = rng.integers(1900, 2020, N)
rooms = rng.integers(1, 9, N)
dist = rng.uniform(50, 20000, N)
price = 0.08 * area + 12 * rooms - 0.004 * dist + 0.5 * (year - 1900) + rng.normal(0, 8, N)
price = (price - price.mean()) / price.std()

table = np.stack([area, year, rooms, dist], axis=1)
features = table
X = torch.tensor(features, dtype=torch.float32)
y = torch.tensor(price, dtype=torch.float32).view(-1, 1)


class HousePrices(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 30)
        self.fc2 = nn.Linear(30, 15)
        self.fc3 = nn.Linear(15, 1)

    def forward(self, x):
        x = torch.sigmoid(self.fc1(x))
        x = torch.sigmoid(self.fc2(x))
        return self.fc3(x)


torch.manual_seed(0)
model = HousePrices()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
loss_fn = nn.MSELoss()
for epoch in range(60):
    order = torch.randperm(N)
    epoch_loss = 0.0
    for start in range(0, N, 40):
        idx = order[start:start + 40]
        pred = model(X[idx])
        loss = loss_fn(pred, y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / 20
    if epoch % 10 == 0 or epoch == 59:
        print(f"Epoch {epoch}: train mse {epoch_loss:.4f}")
print("predictions:", model(X[:5]).detach().flatten().tolist())
