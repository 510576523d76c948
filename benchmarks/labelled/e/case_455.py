import io
import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(5)
torch.manual_seed(5)


def station_log(days=900):
    t = np.arange(days)
    temp = 12 + 9 * np.sin(2 * np.pi * t / 365) + rng.normal(0, 1.5, days)
    humidity = 70 - 1.2 * (temp - 12) + rng.normal(0, 5, days)
    wind = rng.gamma(2, 2, days)
    ozone = 40 + 1.5 * temp - 0.3 * humidity - 1.1 * wind + rng.normal(0, 2, days)
    out = ["temp,humidity,wind,ozone"]
    for i in range(days):
        h = "" if rng.random() < 0.004 else f"{humidity[i]:.1f}"
        out.append(f"{temp[i]:.2f},{h},{wind[i]:.2f},{ozone[i]:.2f}")
    return io.StringIO("\n".join(out))


table = np.genfromtxt(station_log(), delimiter=",", skip_header=1)
mean, std = np.nanmean(table, 0), np.nanstd(table, 0)
table = np.where(np.isnan(table), mean, table)
table = ((table - mean) / std).astype(np.float32)
WINDOW = 7
X = np.stack([table[i:i + WINDOW] for i in range(len(table) - WINDOW)])
y = table[WINDOW:, 3]
X, y = torch.from_numpy(X), torch.from_numpy(y)


class OzoneForecast(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(4, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.fc(self.gru(x)[0][:, -1]).squeeze(1)


model = OzoneForecast()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(10):
    losses = []
    for idx in torch.randperm(len(X)).split(32):
        loss = nn.functional.mse_loss(model(X[idx]), y[idx])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} mse {sum(losses) / len(losses):.4f}")
