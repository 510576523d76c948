import math
import torch
import torch.nn as nn
import torch.nn.functional as F


class CausalConvLM(nn.Module):
    def __init__(self, vocab, dim, layers=2, kernel=3):
        super().__init__()
        self.kernel = kernel
        self.tok = nn.Embedding(vocab, dim)
        nn.init.normal_(self.tok.weight, std=0.02)
        self.convs = nn.ModuleList(nn.Conv1d(dim, dim, kernel) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.lm_head = nn.Linear(dim, vocab, bias=False)
        self.lm_head.weight = self.tok.weight

    def forward(self, ids):
        x = self.tok(ids).transpose(1, 2)
        for conv in self.convs:
            x = x + F.gelu(conv(F.pad(x, (self.kernel - 1, 0))))
        return self.lm_head(self.norm(x.transpose(1, 2)))


def markov_corpus(vocab, length):
    table = torch.softmax(2.5 * torch.randn(vocab, vocab), 1)
    seq = [0]
    for u in torch.rand(length):
        seq.append(min(int((table[seq[-1]].cumsum(0) < u).sum()), vocab - 1))
    return torch.tensor(seq)


torch.manual_seed(13)
V = 200
corpus = markov_corpus(V, 8000)
model = CausalConvLM(V, 128)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.01)
print("uniform guess would give", round(math.log(V), 3))
for step in range(101):
    start = torch.randint(0, len(corpus) - 33, (12,))
    chunk = torch.stack([corpus[s:s + 33] for s in start])
    logits = model(chunk[:, :-1])
    loss = F.cross_entropy(logits.reshape(-1, V), chunk[:, 1:].reshape(-1))
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if step % 10 == 0:
        print(f"iter {step} train loss {loss.item():.3f}")
