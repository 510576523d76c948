import math
import torch
from torch import nn

torch.manual_seed(17)
DIM, LEN, VOCAB = 256, 12, 16


class DotAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.query = nn.Linear(dim, dim, bias=False)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        for lin in (self.query, self.key, self.value):
            nn.init.xavier_normal_(lin.weight)

    def forward(self, x):
        q, k, v = self.query(x), self.key(x), self.value(x)
        att = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(q.shape[-1])
        att = torch.softmax(att, dim=-1)
        return torch.bmm(att, v)


class Recall(nn.Module):
    """Answers which symbol followed the probe symbol earlier in the string"""

    def __init__(self):
        super().__init__()
        self.sym = nn.Embedding(VOCAB, DIM)
        self.prev = nn.Embedding(VOCAB + 1, DIM)
        self.att = DotAttention(DIM)
        self.out = nn.Linear(DIM, VOCAB)

    def forward(self, s):
        before = torch.cat([torch.full_like(s[:, :1], VOCAB), s[:, :-1]], 1)
        before[:, -1] = VOCAB
        h = (self.sym(s) + self.prev(before)) / math.sqrt(2)
        return self.out(self.att(h)[:, -1])


def batch(n):
    s = torch.stack([torch.randperm(VOCAB)[:LEN] for _ in range(n)])
    where = torch.randint(0, LEN - 2, (n,))
    rows = torch.arange(n)
    s[:, -1] = s[rows, where]
    return s, s[rows, where + 1]


model = Recall()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
avg = None
for step in range(200):
    s, y = batch(48)
    logits = model(s)
    loss = nn.functional.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    avg = loss.item() if avg is None else 0.9 * avg + 0.1 * loss.item()
    if step % 20 == 0:
        print(step, "loss", round(avg, 4), "acc", (logits.argmax(1) == y).float().mean().item())
print("final", round(avg, 4))
