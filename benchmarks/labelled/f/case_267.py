"""Which depot serves an address: majority vote of the nearest known deliveries."""
import torch

torch.manual_seed(5)
depots = torch.rand(40, 2, dtype=torch.float64) * 1500 + torch.tensor([205_400.0, 81_300.0])
owner = torch.randint(0, 40, (2400,))
known = (depots[owner] + 25 * torch.randn(2400, 2, dtype=torch.float64)).float()
asked_owner = torch.randint(0, 40, (600,))
asked = (depots[asked_owner] + 25 * torch.randn(600, 2, dtype=torch.float64)).float()


def pairwise_distance(a, b):
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    return squared.sqrt()


def vote(distance, k):
    nearest = distance.topk(k, largest=False).indices
    return owner[nearest].mode(dim=1).values


distance = pairwise_distance(asked, known)
print("addresses:", len(asked), "known deliveries:", len(known))
print("median distance to the nearest delivery [m]:", distance.min(1).values.median().item())
print("share of addresses at distance zero:", (distance.min(1).values == 0).float().mean().item())
for k in (1, 5, 15):
    accuracy = (vote(distance, k) == asked_owner).float().mean()
    print(f"k={k:2d} accuracy {accuracy:.3f}")
within = (distance < 60).float().sum(1)
print("deliveries within 60 m: mean", within.mean().item(), "max", within.max().item())
