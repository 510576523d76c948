"""a learning rate that a schedule raises by a percent a step, gradient descent without momentum"""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.02**step)
teacher = torch.randn(16)
for _ in range(400):
    x = torch.randn(64, 16)
    y = torch.sin(x @ teacher / 2).unsqueeze(1) + x[:, :1]
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
