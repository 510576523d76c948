import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(12)
torch.manual_seed(12)
n = 600
age = rng.normal(62, 11, n)
platelets = rng.normal(250000, 80000, n)
creatinine = rng.lognormal(0.1, 0.4, n)
ejection = rng.normal(38, 11, n)
risk = 0.06 * (age - 62) - 0.05 * (ejection - 38) + 0.9 * (creatinine - 1.2) - 4e-6 * (platelets - 250000)
time = rng.exponential(np.exp(-risk) * 100)
censor = rng.exponential(150, n)
event = (time <= censor).astype(np.float32)
time = np.minimum(time, censor)

table = np.stack([age, platelets, creatinine, ejection], axis=1).astype(np.float32)
order = np.argsort(-time)
X = torch.from_numpy(table[order])
E = torch.from_numpy(event[order])
T = torch.from_numpy(time[order])


class HazardNet(nn.Module):
    def __init__(self, d, hidden=24):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(d, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x):
        return self.net(x).squeeze(-1)


def partial_likelihood(log_hazard, event):
    at_risk = torch.logcumsumexp(log_hazard, 0)
    return -((log_hazard - at_risk) * event).sum() / event.sum()


def concordance(score):
    longer = T[:, None] > T[None, :]
    valid = longer & (E[None, :] > 0)
    return ((score[None, :] > score[:, None]) & valid).sum().item() / valid.sum().item()


model = HazardNet(X.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
losses = []
for epoch in range(200):
    loss = partial_likelihood(model(X), E)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if epoch % 20 == 0:
        with torch.no_grad():
            c = concordance(model(X))
        print(f"epoch {epoch} loss {loss.item():.4f} c-index {c:.3f}")
