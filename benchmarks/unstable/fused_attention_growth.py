"""the same with the fused attention operator, gradient descent with momentum"""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
width, heads, length = 48, 4, 24


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        q, k, v = self.project(x).view(*x.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape))
        return x + self.mlp(x)


model = nn.Sequential(nn.Linear(8, width), Block(), Block(), nn.Linear(width, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.02**step)
for _ in range(300):
    x = torch.randn(16, length, 8)
    y = x[..., :1] * x[..., 1:2] + x[:, :1, 2:3]
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
