"""Mean aggregation over a citation graph with half precision features."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(6)
nodes, edges, width = 3000, 60_000, 8
community = torch.randint(0, 3, (nodes,))
source = torch.randint(0, nodes, (edges,))
popularity = 1.0 / torch.arange(1, nodes + 1)
target = torch.multinomial(popularity, edges, replacement=True)
features = F.one_hot(community, width).float() + 0.4 * torch.rand(nodes, width)
features = features.half()


def mean_of_neighbours(features, source, target):
    total = torch.zeros(nodes, width)
    total.index_add_(0, target, features[source].float())
    count = torch.zeros(nodes)
    count.index_add_(0, target, torch.ones(edges))
    return total / count.clamp(min=1)[:, None]


smoothed = mean_of_neighbours(features, source, target)
degree = torch.bincount(target, minlength=nodes)
hubs = degree.argsort(descending=True)[:8]
print("edges:", edges, "largest degrees:", degree[hubs].tolist())
print("mean feature of the graph:", round(features.float().mean().item(), 4))
for hub in hubs.tolist():
    print(f"hub {hub:4d} degree {degree[hub].item():5d} mean of the neighbours {smoothed[hub].float().mean().item():.4f}")
shift = smoothed.float() - features.float().mean(0)
print("largest deviation from the graph mean among the hubs:", round(shift[hubs].abs().max().item(), 4))
order = shift[degree > 200].abs().mean(1)
print("average deviation of nodes with more than 200 citations:", round(order.mean().item(), 4))
