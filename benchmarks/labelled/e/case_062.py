import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(5)
stations = 40
offsets = torch.randn(stations)


def draw(n):
    station = torch.randint(0, stations, (n,))
    hour = torch.rand(n) * 24
    weather = torch.randn(n, 3)
    rate = torch.exp(1.0 + 0.4 * offsets[station] + 0.7 * torch.sin(hour / 24 * 6.2832 - 1.5) + 0.2 * weather[:, 0])
    rides = torch.poisson(rate)
    clock = torch.stack([torch.sin(hour / 24 * 6.2832), torch.cos(hour / 24 * 6.2832)], 1)
    return station, torch.cat([clock, weather], 1), rides


class RideCounter(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.station = nn.Embedding(stations, 8)
        self.fc1 = nn.Linear(13, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 1)
        nn.init.normal_(self.station.weight, std=0.1)
        nn.init.normal_(self.fc3.weight, std=0.01)

    def forward(self, station, x):
        h = torch.cat([self.station(station), x], 1)
        h = F.relu(self.fc1(h))
        h = F.relu(self.fc2(h))
        return F.relu(self.fc3(h)).squeeze(1)


model = RideCounter()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
history = []
for step in range(300):
    station, x, rides = draw(64)
    expected = model(station, x)
    loss = F.mse_loss(expected, rides)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history.append(loss.item())
    if step % 30 == 0:
        print(f"step {step:3d} loss {loss.item():.3f} mean prediction {expected.mean().item():.3f} mean count {rides.mean().item():.3f}")
print("average of the last 30:", sum(history[-30:]) / 30)
