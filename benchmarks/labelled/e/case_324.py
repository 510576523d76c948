import torch
from torch import nn

torch.manual_seed(0)
DIM, MEM, CLASSES = 256, 24, 10
codebook = torch.randn(40, DIM)


def episode(n):
    keys = torch.stack([torch.randperm(40)[:MEM] for _ in range(n)])
    labels = torch.randint(0, CLASSES, (n, MEM))
    pick = torch.randint(0, MEM, (n,))
    rows = torch.arange(n)
    query = codebook[keys[rows, pick]] + 0.5 * torch.randn(n, DIM)
    return query, codebook[keys], labels, labels[rows, pick]


class CrossAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q = nn.Linear(dim, dim, bias=False)
        self.k = nn.Linear(dim, dim, bias=False)
        self.scale = dim ** -0.5
        for m in (self.q, self.k):
            nn.init.xavier_normal_(m.weight)

    def forward(self, query, memory, value):
        scores = (self.k(memory) @ self.q(query).unsqueeze(-1)).squeeze(-1) * self.scale
        weights = scores.softmax(-1)
        return (weights.unsqueeze(-1) * value).sum(1)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.value = nn.Embedding(CLASSES, 64)
        self.attn = CrossAttention(DIM)
        self.out = nn.Linear(64, CLASSES)

    def forward(self, query, memory, labels):
        return self.out(self.attn(query, memory, self.value(labels)))


model = Reader()
opt = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
losses = []
for step in range(250):
    query, memory, labels, answer = episode(32)
    logits = model(query, memory, labels)
    loss = nn.functional.cross_entropy(logits, answer)
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
    if step % 25 == 0:
        acc = (logits.argmax(1) == answer).float().mean().item()
        print(f"step {step} loss {loss.item():.4f} acc {acc:.3f}")
print("last twenty", sum(losses[-20:]) / 20)
