import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Ripples(Dataset):
    def __init__(self, n=1000):
        g = torch.Generator().manual_seed(99)
        self.x = torch.rand(n, 2, generator=g) * 4 - 2
        self.y = torch.sin(2.0 * self.x[:, :1]) * torch.cos(1.5 * self.x[:, 1:])

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.xavier_uniform_(m.weight)
        nn.init.constant_(m.bias, 0.0)


torch.manual_seed(1)
net = nn.Sequential(
    nn.Linear(2, 48), nn.Tanh(),
    nn.Linear(48, 48), nn.Tanh(),
    nn.Linear(48, 1),
)
net.apply(init_weights)
loader = DataLoader(Ripples(), batch_size=100, shuffle=True)
optimizer = torch.optim.RMSprop(net.parameters(), lr=2e-3)
criterion = nn.MSELoss()

for epoch in range(1, 51):
    losses = []
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 5 == 0:
        print(f"epoch {epoch:2d} | mse {sum(losses) / len(losses):.5f}")
