"""Adam with beta2 = 0.999 whose data change scale in the middle of the run"""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)
teacher = torch.randn(16)
for step in range(300):
    scale = 1.0 if step < 200 else 1.0 + 0.25 * (step - 200)
    x = scale * torch.randn(64, 16)
    y = torch.tanh(x @ teacher).unsqueeze(1)
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
