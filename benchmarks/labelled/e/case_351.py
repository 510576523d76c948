import torch
from torch import nn

torch.manual_seed(2)
VOCAB, TAGS, LENGTH, DIM = 300, 5, 12, 32
tag_of = torch.randint(0, TAGS, (VOCAB,))


def tagged(n):
    ids = torch.randint(0, VOCAB, (n, LENGTH))
    return ids, tag_of[ids]


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, DIM)
        self.left = nn.Linear(DIM, DIM)
        self.here = nn.Linear(DIM, DIM)
        self.out = nn.Linear(DIM, TAGS)

    def forward(self, ids):
        e = self.embed(ids)
        shifted = torch.cat([torch.zeros_like(e[:, :1]), e[:, :-1]], 1)
        return self.out(torch.tanh(self.here(e) + self.left(shifted)))


model = Tagger().half()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, eps=1e-4)
losses = []
for step in range(200):
    ids, tags = tagged(16)
    logits = model(ids)
    loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), tags.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 20 == 0:
        acc = (logits.argmax(-1) == tags).float().mean().item()
        print(f"{step} loss {loss.item():.4f} acc {acc:.3f}")
