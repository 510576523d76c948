"""graph network with normalised adjacency"""

import torch
from torch import nn
from torch.nn import functional as F


def community_graph(nodes=300, classes=4, inside=0.06, outside=0.01):
    label = torch.randint(classes, (nodes,))
    same = label[:, None] == label[None, :]
    edge = torch.rand(nodes, nodes) < torch.where(same, inside, outside)
    adjacency = edge.triu(1).float()
    features = torch.randn(classes, 16)[label] + 2.0 * torch.randn(nodes, 16)
    return features, adjacency + adjacency.T, label


def normalise(adjacency):
    """D^-1/2 (A + I) D^-1/2; with loops every node has a neighbour."""
    adjacency = adjacency + torch.eye(len(adjacency))
    scale = adjacency.sum(dim=1).pow(-0.5)
    return scale[:, None] * adjacency * scale[None, :]


class GraphNetwork(nn.Module):
    def __init__(self, features, hidden, classes):
        super().__init__()
        self.first = nn.Linear(features, hidden)
        self.second = nn.Linear(hidden, classes)

    def forward(self, x, adjacency):
        x = F.dropout(x, 0.2, self.training)
        x = F.relu(adjacency @ self.first(x))
        x = F.dropout(x, 0.5, self.training)
        return adjacency @ self.second(x)


def main():
    torch.manual_seed(0)
    x, adjacency, label = community_graph()
    adjacency = normalise(adjacency)
    known = torch.rand(len(label)) < 0.3
    model = GraphNetwork(16, 32, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    for epoch in range(300):
        model.train()
        loss = F.cross_entropy(model(x, adjacency)[known], label[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if epoch % 50 == 0:
            model.eval()
            right = model(x, adjacency).argmax(1) == label
            print(f"epoch {epoch}: loss {loss.item():.3f}, unknown nodes {right[~known].float().mean():.1%}")


if __name__ == "__main__":
    main()
