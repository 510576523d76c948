import torch

EPS = 1e-8


def pairwise(points):
    diff = points[:, None, :] - points[None, :, :]
    return diff.pow(2).sum(-1).sqrt() + EPS


def stress(layout, wanted):
    return (pairwise(layout) - wanted).pow(2).mean()


torch.manual_seed(4)
cities = torch.rand(40, 3)
roads = pairwise(cities)
layout = torch.nn.Parameter(0.1 * torch.randn(40, 3))
optim = torch.optim.Adam([layout], lr=0.02)
for it in range(400):
    optim.zero_grad()
    s = stress(layout, roads)
    s.backward()
    optim.step()
    if it % 40 == 0:
        print(f"iteration {it}: stress {s.item():.6f}")
print("remaining stress", stress(layout, roads).item())
