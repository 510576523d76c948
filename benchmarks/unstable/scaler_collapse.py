"""float16 under autocast whose activations grow beyond float16's range: the GradScaler halves its scale to nothing"""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=25)
for step in range(300):
    level = 1.0 if step < 60 else 1.06 ** (step - 60)  # a sensor whose gain drifts
    x = level * torch.randn(64, 16)
    y = x[:, :1] / level
    with torch.autocast("cpu", dtype=torch.float16):
        predicted = model(x)
        loss = (predicted - y).square().mean()
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
