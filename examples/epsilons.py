"""Every epsilon of a small encoder, judged in one forward and backward pass; then the same encoder in float16."""

import torch
from torch import nn
from torch.nn import functional as F

import wellposed


class RMSNorm(nn.Module):
    """Root-mean-square normalisation, written by hand."""

    def __init__(self, width, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)


class Encoder(nn.Module):
    """Embeds sequences of tokens, of which number 0 is padding, as directions."""

    def __init__(self, tokens=100, width=32):
        super().__init__()
        self.embedding = nn.Embedding(tokens, width, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.02)
        with torch.no_grad():
            self.embedding.weight[0] = 0
        self.first = nn.LayerNorm(width, eps=1e-2)
        self.hidden = nn.Linear(width, width, bias=False)
        self.second = RMSNorm(width)

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x + self.first(x) * (tokens != 0).unsqueeze(-1)
        x = self.second(self.hidden(x))
        return F.normalize(x.mean(1), dim=-1)


def loss(directions):
    similarity = directions @ directions.T
    return (similarity - torch.eye(len(directions), dtype=similarity.dtype)).square().mean()


torch.manual_seed(0)
tokens = torch.randint(1, 100, (8, 12))
tokens[:, 9:] = 0
for dtype in (torch.float32, torch.float16):
    model = Encoder().to(dtype)
    print(dtype)
    print(wellposed.epsilons(model, tokens, loss, torch.optim.AdamW(model.parameters())))
