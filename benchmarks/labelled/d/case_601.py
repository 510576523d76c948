import torch
from torch import nn

torch.manual_seed(71)


class MessagePassing(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.message = nn.Sequential(nn.Linear(2 * d, d), nn.ReLU())
        self.update = nn.Linear(2 * d, d)

    def forward(self, h, src, dst):
        m = self.message(torch.cat([h[src], h[dst]], 1))
        agg = torch.zeros_like(h).index_add(0, dst, m)
        agg = agg / torch.bincount(dst, minlength=len(h)).clamp(min=1)[:, None]
        return torch.relu(self.update(torch.cat([h, agg], 1)))


class EnergyNet(nn.Module):
    def __init__(self, d=24, rounds=6):
        super().__init__()
        self.embed = nn.Linear(5, d)
        self.rounds = nn.ModuleList(MessagePassing(d) for _ in range(rounds))
        self.readout = nn.Linear(d, 1)

    def forward(self, x, src, dst, graph, n_graphs):
        h = torch.relu(self.embed(x))
        for r in self.rounds:
            h = r(h, src, dst)
        node = self.readout(h).squeeze(1)
        size = torch.bincount(graph, minlength=n_graphs)
        return torch.zeros(n_graphs).index_add(0, graph, node) / size


def cluster():
    n = int(torch.randint(60, 100, (1,)))
    pos = torch.rand(n, 3)
    kind = (torch.rand(n, 1) < torch.rand(())).float()
    close = (torch.cdist(pos, pos) < 0.7) & ~torch.eye(n, dtype=torch.bool)
    src, dst = close.nonzero(as_tuple=True)
    charge = 2 * kind.squeeze(1) - 1
    energy = 3 * (charge[src] * charge[dst]).mean() + 2 * charge.mean()
    return torch.cat([pos, kind, 1 - kind], 1), src, dst, energy


def collate(items):
    xs, ss, ds, gs, es, offset = [], [], [], [], [], 0
    for g, (x, s, d, e) in enumerate(items):
        xs.append(x), ss.append(s + offset), ds.append(d + offset), es.append(e)
        gs.append(torch.full((len(x),), g))
        offset += len(x)
    return torch.cat(xs), torch.cat(ss), torch.cat(ds), torch.cat(gs), torch.stack(es)


batches = [collate([cluster() for _ in range(3)]) for _ in range(12)]
net = EnergyNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(10):
    total = 0.0
    for x, s, d, g, e in batches:
        loss = nn.functional.mse_loss(net(x, s, d, g, len(e)), e)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / len(batches)
    print(f"epoch {epoch} mse {total:.4g}")
