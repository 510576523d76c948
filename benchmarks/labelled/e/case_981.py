import math
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
VOCAB, BLOCK, DIM = 96, 32, 128


def sequences(n):
    start = torch.randint(0, VOCAB, (n, 1))
    stride = torch.randint(1, 6, (n, 1))
    return (start + stride * torch.arange(BLOCK + 1)) % VOCAB


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(b, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, c))
        return x + self.mlp(self.ln2(x))


class SmallGPT(nn.Module):
    def __init__(self, layers=2, heads=4):
        super().__init__()
        self.tok = nn.Embedding(VOCAB, DIM)
        self.pos = nn.Embedding(BLOCK, DIM)
        self.blocks = nn.ModuleList([Block(DIM, heads) for _ in range(layers)])
        self.ln = nn.LayerNorm(DIM)
        self.head = nn.Linear(DIM, VOCAB, bias=False)
        self.apply(self._init)
        self.head.weight = self.tok.weight

    def _init(self, m):
        if isinstance(m, (nn.Linear, nn.Embedding)):
            nn.init.normal_(m.weight, std=0.02)

    def forward(self, idx):
        x = self.tok(idx) + self.pos(torch.arange(idx.size(1)))
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))


model = SmallGPT()
opt = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
print("uniform loss would be", round(math.log(VOCAB), 3))
losses = []
for step in range(120):
    seq = sequences(16)
    logits = model(seq[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), seq[:, 1:].flatten())
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
    losses.append(loss.item())
    if step % 15 == 0:
        print(step, round(loss.item(), 4))
print("final", losses[-1])
