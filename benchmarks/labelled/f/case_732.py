"""Fit only the norm gains of a frozen bfloat16 network to a new domain."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(16)
width, n = 32, 512


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        scale = x.float().pow(2).mean(-1, keepdim=True).add(1e-6).rsqrt()
        return (x.float() * scale * self.weight.float()).to(x.dtype)


def network():
    torch.manual_seed(16)
    return nn.Sequential(RMSNorm(width), nn.Linear(width, 64), nn.SiLU(), RMSNorm(64), nn.Linear(64, 5))


x = torch.randn(n, width)
teacher = network()
with torch.no_grad():
    for layer in teacher:
        if isinstance(layer, RMSNorm):
            layer.weight.copy_(torch.empty_like(layer.weight).uniform_(0.4, 1.8))
    wanted = teacher(x).softmax(1)

student = network()
gains = []
for layer in student:
    layer.requires_grad_(isinstance(layer, RMSNorm))
    if isinstance(layer, RMSNorm):
        gains.append(layer.weight)
optimizer = torch.optim.AdamW(gains, lr=1e-3, weight_decay=0.0)
for step in range(500):
    batch = torch.randint(0, n, (64,))
    logits = student(x[batch])
    loss = F.kl_div(logits.log_softmax(1), wanted[batch], reduction="batchmean")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0 or step == 499:
        spread = torch.cat([g.detach().float() for g in gains]).std().item()
        print(f"step {step:3d} KL {loss.item():.5f} spread of the gains {spread:.4f}")
with torch.no_grad():
    final = F.kl_div(student(x).log_softmax(1), wanted, reduction="batchmean").item()
print(f"KL on all data {final:.5f}")
