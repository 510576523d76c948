import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(79)
SYMBOLS, BOS = 14, 13


class Translator(nn.Module):
    """GRU encoder and decoder for a toy transliteration task"""

    def __init__(self, d=48):
        super().__init__()
        self.emb = nn.Embedding(SYMBOLS, d)
        self.enc = nn.GRU(d, d, batch_first=True)
        self.dec = nn.GRU(d, d, batch_first=True)
        self.out = nn.Linear(d, SYMBOLS)

    def forward(self, src, tgt_in):
        _, state = self.enc(self.emb(src))
        y, _ = self.dec(self.emb(tgt_in), state)
        return self.out(y)


class Adam:
    def __init__(self, params, alpha=0.003, beta1=0.9, beta2=0.999, eps=1e-8):
        self.params = list(params)
        self.alpha, self.beta1, self.beta2, self.eps, self.t = alpha, beta1, beta2, eps, 0
        self.m = [torch.zeros_like(p) for p in self.params]
        self.v = [torch.zeros_like(p) for p in self.params]

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.no_grad()
    def update(self):
        self.t += 1
        for p, m, v in zip(self.params, self.m, self.v):
            m += (1 - self.beta1) * (p.grad - m)
            v += (1 - self.beta2) * (p.grad * p.grad - v)
            mhat = m / (1 - self.beta1 ** self.t)
            vhat = v / (1 - self.beta2 ** self.t)
            p -= self.alpha * mhat / (vhat.sqrt() + self.eps)


mapping = torch.randperm(BOS)


def pairs(n, length=5):
    src = torch.randint(0, BOS, (n, length))
    return src, mapping[src]


model = Translator()
optimizer = Adam(model.parameters())
for it in range(300):
    src, tgt = pairs(64)
    tgt_in = torch.cat([torch.full_like(tgt[:, :1], BOS), tgt[:, :-1]], 1)
    logits = model(src, tgt_in)
    loss = F.cross_entropy(logits.flatten(0, 1), tgt.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.update()
    if it % 30 == 0:
        acc = (logits.argmax(-1) == tgt).float().mean().item()
        print(f"iter {it:3d} loss {loss.item():.4f} token accuracy {acc:.3f}")
