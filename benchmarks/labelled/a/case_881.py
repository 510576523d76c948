import torch
from torch import nn

torch.manual_seed(21)

# hourly readings of a cold store, degrees Celsius
hours = torch.arange(24 * 60, dtype=torch.float32)
temp = -18.0 + 2.5 * torch.sin(hours * 2 * torch.pi / 24) + 0.8 * torch.sin(hours * 2 * torch.pi / 7.3)
temp = temp + 0.2 * torch.randn(len(hours))

WINDOW = 18
windows = (temp.unfold(0, WINDOW + 1, 1) + 18.0) / 2.5
inputs = windows[:, :-1].unsqueeze(-1)
targets = temp[WINDOW:] / 10.0


class Forecaster(nn.Module):
    def __init__(self, hidden_size=20):
        super().__init__()
        self.gru = nn.GRU(1, hidden_size, batch_first=True)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(hidden_size, 1)

    def forward(self, x):
        _, h = self.gru(x)
        out = self.fc(self.relu(h[-1]))
        return out.squeeze(-1)


model = Forecaster()
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
history = []
for epoch in range(5):
    for idx in torch.randperm(len(inputs)).split(64):
        optimizer.zero_grad()
        loss = criterion(model(inputs[idx]), targets[idx])
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    print(f"epoch {epoch}: mse {sum(history[-20:]) / 20:.5f}")
with torch.no_grad():
    print("forecast of the last hours:", model(inputs[-3:]).tolist(), "true:", targets[-3:].tolist())
