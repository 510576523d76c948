"""a warm-up that never ends, momentum 0.9, a ReLU classifier"""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 + step * step / 20)
centres = 0.5 * torch.randn(10, 32)
for _ in range(300):
    label = torch.randint(0, 10, (64,))
    x = centres[label] + torch.randn(64, 32)
    loss = nn.functional.cross_entropy(model(x), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
