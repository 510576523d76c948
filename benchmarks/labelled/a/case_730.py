import math
import torch
from torch import nn


class KeyValueMemory(nn.Module):
    """one query per row looks a value up among the slots of its row"""

    def __init__(self, n_keys, n_values, d):
        super().__init__()
        self.q = nn.Embedding(n_keys, d)
        self.k = nn.Embedding(n_keys, d)
        self.v = nn.Embedding(n_values, d)
        self.out = nn.Linear(d, n_values)
        self.d = d

    def forward(self, query, keys, values):
        q = self.q(query).unsqueeze(1)
        scores = torch.bmm(q, self.k(keys).transpose(1, 2)) / math.sqrt(self.d)
        weights = torch.softmax(scores, dim=-1)
        read = torch.bmm(weights, self.v(values)).squeeze(1)
        return self.out(read)


def lookups(n, slots=10, n_keys=30, n_values=12):
    keys = torch.rand(n, n_keys).argsort(1)[:, :slots]
    values = torch.randint(0, n_values, (n, slots))
    pos = torch.randint(0, slots, (n, 1))
    return keys.gather(1, pos).squeeze(1), keys, values, values.gather(1, pos).squeeze(1)


torch.manual_seed(10)
net = KeyValueMemory(30, 12, 400)
opt = torch.optim.SGD(net.parameters(), lr=1.0)
sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 300)
trace = []
for step in range(300):
    query, keys, values, answer = lookups(64)
    loss = nn.functional.cross_entropy(net(query, keys, values), answer)
    opt.zero_grad()
    loss.backward()
    opt.step()
    sched.step()
    trace.append(loss.item())
    if step % 50 == 49:
        print(f"step {step + 1} loss {sum(trace[-50:]) / 50:.4f}")
