import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(19)
VOCAB, CONTEXT = 80, 4
step_of = torch.randint(1, 9, (VOCAB,))
chain = [3]
for _ in range(4000):
    chain.append((chain[-1] + int(step_of[chain[-1]])) % VOCAB)
chain = torch.tensor(chain)


class NextWord(nn.Module):
    def __init__(self, dim=24):
        super().__init__()
        self.table = nn.Embedding(VOCAB, dim)
        self.mix = nn.Linear(CONTEXT * dim, 64)
        self.out = nn.Linear(64, VOCAB)

    def forward(self, ids):
        return self.out(torch.tanh(self.mix(self.table(ids).flatten(1))))


model = NextWord().half()
opt = torch.optim.Adam(model.parameters(), lr=2e-3, eps=1e-8)
losses = []
for it in range(300):
    start = torch.randint(0, len(chain) - CONTEXT - 1, (64,))
    ids = chain[start[:, None] + torch.arange(CONTEXT)]
    nxt = chain[start + CONTEXT]
    loss = F.cross_entropy(model(ids).float(), nxt)
    opt.zero_grad()
    loss.backward()
    opt.step()
    losses.append(loss.item())
    if it % 30 == 0:
        print(f"iter {it} loss {losses[-1]:.4f}")
