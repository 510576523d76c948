"""AdamW with linear warm-up and cosine decay"""

import argparse
import math

import torch
import torch.nn as nn

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=400)
parser.add_argument("--warmup", type=int, default=40)
parser.add_argument("--lr", type=float, default=3e-3)
args = parser.parse_args()


def lr_lambda(step):
    if step < args.warmup:
        return step / args.warmup
    progress = (step - args.warmup) / (args.steps - args.warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


class ResidualMLP(nn.Module):
    def __init__(self, size=8, width=64, depth=8):
        super().__init__()
        self.inp = nn.Linear(size, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(depth)
        )
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def forward(self, x):
        x = self.inp(x)
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)


torch.manual_seed(0)
model = ResidualMLP()
decay = [p for p in model.parameters() if p.dim() >= 2]
no_decay = [p for p in model.parameters() if p.dim() < 2]
groups = [{"params": decay, "weight_decay": 0.1}, {"params": no_decay, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.98))
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda)
direction = torch.randn(8, 3) / 8**0.5
for step in range(args.steps):
    x = torch.randn(128, 8)
    y = torch.sin(2 * x @ direction).sum(dim=1, keepdim=True)
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 40 == 0:
        print(f"step {step:3d} lr {scheduler.get_last_lr()[0]:.2e} loss {loss.item():.4f}")
