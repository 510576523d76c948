"""bfloat16 weights with a float32 master copy"""

import copy

import torch
from torch import nn
from torch.nn import functional as F


def parity_of_signs(n, size=12):
    """Do the first three numbers have an even number of negative ones?"""
    x = torch.randn(n, size)
    return x, (x[:, :3] < 0).sum(dim=1).remainder(2)


def copy_gradients(model, master):
    for low, high in zip(model.parameters(), master.parameters(), strict=True):
        high.grad = low.grad.float()
        low.grad = None


@torch.no_grad()
def copy_weights(master, model):
    for low, high in zip(model.parameters(), master.parameters(), strict=True):
        low.copy_(high)


def main():
    torch.manual_seed(0)
    master = nn.Sequential(nn.Linear(12, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
    model = copy.deepcopy(master).to(torch.bfloat16)
    optimizer = torch.optim.Adam(master.parameters(), lr=2e-3)
    for step in range(600):
        x, y = parity_of_signs(128)
        loss = F.cross_entropy(model(x.to(torch.bfloat16)).float(), y)
        loss.backward()
        copy_gradients(model, master)
        optimizer.step()
        copy_weights(master, model)
        if step % 60 == 0:
            print(f"step {step}: loss {loss.item():.4f}")


if __name__ == "__main__":
    main()
