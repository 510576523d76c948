import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(31)


class BikeTrips(Dataset):
    def __init__(self, n):
        minute = torch.randint(0, 1440, (n,))
        weekday = torch.randint(0, 7, (n,))
        rush = torch.exp(-((minute - 500) / 80.0) ** 2) + torch.exp(-((minute - 1050) / 100.0) ** 2)
        self.demand = 2.5 * rush * (weekday < 5) + 0.4 * (weekday >= 5) + 0.1 * torch.randn(n)
        slot = (minute / 1440).long()
        self.keys = torch.stack([slot, weekday], dim=1)

    def __len__(self):
        return len(self.demand)

    def __getitem__(self, i):
        return self.keys[i], self.demand[i]


class DemandNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hour = nn.Embedding(24, 8)
        self.day = nn.Embedding(7, 4)
        self.mlp = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 1))

    def forward(self, keys):
        h = torch.cat([self.hour(keys[:, 0]), self.day(keys[:, 1])], dim=1)
        return self.mlp(h).squeeze(1)


data = BikeTrips(2000)
loader = DataLoader(data, batch_size=100, shuffle=True)
net = DemandNet()
opt = torch.optim.NAdam(net.parameters(), lr=5e-3)
print("variance of the demand", data.demand.var().item())
for epoch in range(12):
    total = 0.0
    for keys, demand in loader:
        loss = nn.functional.mse_loss(net(keys), demand)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    if epoch % 2 == 0:
        print(f"epoch {epoch} mse {total / len(loader):.4f}")
