import torch
from torch import nn

torch.manual_seed(5)

D, SLOTS, CLASSES = 24, 8, 5


class MemoryReader(nn.Module):
    """Looks up one slot of a small memory with a query and classifies its content"""

    def __init__(self):
        super().__init__()
        self.q = nn.Sequential(nn.Linear(D, 48), nn.ReLU(), nn.Linear(48, 32))
        self.k = nn.Sequential(nn.Linear(D, 48), nn.ReLU(), nn.Linear(48, 32))
        self.v = nn.Linear(D, 32)
        self.cls = nn.Sequential(nn.ReLU(), nn.Linear(32, CLASSES))

    def forward(self, query, keys, values):
        scores = torch.einsum("bd,bnd->bn", self.q(query), self.k(keys)) / 32 ** 0.5
        slot = scores.softmax(dim=1)
        read = (slot[:, :, None] * self.v(values)).sum(1)
        return self.cls(read)


rotation, _ = torch.linalg.qr(torch.randn(D, D))
prototypes = torch.randn(CLASSES, D)


def sample(n):
    keys = torch.randn(n, SLOTS, D)
    labels = torch.randint(0, CLASSES, (n, SLOTS))
    values = prototypes[labels] + 0.3 * torch.randn(n, SLOTS, D)
    target = torch.randint(0, SLOTS, (n,))
    rows = torch.arange(n)
    query = keys[rows, target] @ rotation + 0.05 * torch.randn(n, D)
    return query, keys, values, labels[rows, target]


model = MemoryReader()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
running = None
for it in range(300):
    q, k, v, y = sample(256)
    logits = model(q, k, v)
    loss = nn.functional.cross_entropy(logits, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    running = loss.item() if running is None else 0.95 * running + 0.05 * loss.item()
    if it % 25 == 0:
        acc = (logits.argmax(1) == y).float().mean().item()
        print(f"iter {it:3d} loss {running:.4f} acc {acc:.3f}")
print("final loss", round(running, 4))
