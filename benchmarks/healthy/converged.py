"""converged early, loss of 1e-6 and less for most of its steps"""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(128, 4)
teacher = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
with torch.no_grad():
    y = teacher(x)

model = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=400, gamma=0.2)
for step in range(1500):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 100 == 0:
        print(f"step {step}: loss {loss.item():.3e}")
