"""a deep residual network without normalisation whose branches are not scaled down"""

import torch
from torch import nn

torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x):
        return x + self.branch(x)


model = nn.Sequential(nn.Linear(16, 64), *(Block(64) for _ in range(24)), nn.Linear(64, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=5e-4, momentum=0.9)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.03**step)
teacher = torch.randn(16)
for _ in range(250):
    x = torch.randn(64, 16)
    y = torch.tanh(x @ teacher).unsqueeze(1)
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
