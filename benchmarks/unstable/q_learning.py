"""Q-learning that bootstraps from itself off policy: the deadly triad, values grow geometrically"""

import torch
from torch import nn

torch.manual_seed(0)
q = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 4))
optimizer = torch.optim.SGD(q.parameters(), lr=0.004, momentum=0.9)
for _ in range(400):
    state, following = torch.randn(64, 6), 1.5 * torch.randn(64, 6)
    action = torch.randint(0, 4, (64, 1))
    reward = state[:, :1]
    with torch.no_grad():
        target = reward + 0.99 * q(following).max(1, keepdim=True).values
    loss = nn.functional.mse_loss(q(state).gather(1, action), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
