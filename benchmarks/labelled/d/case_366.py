import torch
from torch import nn

torch.manual_seed(43)
VOCAB, DIM, MAXLEN, PAD = 30, 32, 14, 0


class HalfAttention(nn.Module):
    def __init__(self, dim, heads=4):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x, mask):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).half()
        score = q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5
        bias = (1.0 - mask.half()) * -1e4
        score = score + bias[:, None, None, :]
        out = torch.softmax(score, -1) @ v
        return self.proj(out.float().transpose(1, 2).reshape(b, t, d))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(VOCAB, DIM, padding_idx=PAD)
        self.pos = nn.Parameter(0.02 * torch.randn(MAXLEN, DIM))
        self.n1, self.n2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.att = HalfAttention(DIM)
        self.ff = nn.Sequential(nn.Linear(DIM, 64), nn.GELU(), nn.Linear(64, DIM))
        self.out = nn.Linear(DIM, 2)

    def forward(self, ids):
        mask = (ids != PAD).float()
        h = self.emb(ids) + self.pos
        h = h + self.att(self.n1(h), mask)
        h = h + self.ff(self.n2(h))
        pooled = (h * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        return self.out(pooled)


def reviews(n):
    ids = torch.randint(1, VOCAB, (n, MAXLEN))
    length = torch.randint(3, MAXLEN + 1, (n,))
    length[torch.rand(n) < 0.004] = 0
    ids[torch.arange(MAXLEN)[None, :] >= length[:, None]] = PAD
    good = ((ids > 0) & (ids < 11)).sum(1)
    bad = (ids > 19).sum(1)
    return ids, (good > bad).long()


ids, labels = reviews(2000)
model = Encoder()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
for epoch in range(6):
    total = 0.0
    for idx in torch.randperm(len(ids)).split(50):
        loss = nn.functional.cross_entropy(model(ids[idx]), labels[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 40:.4f}")
