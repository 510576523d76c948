"""a small transformer without qk-norm at a learning rate that is too high for it: attention logits grow"""

import torch
from torch import nn

torch.manual_seed(0)
width, heads, length, vocabulary = 64, 4, 32, 64


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out = nn.Linear(width, width, bias=False)
        self.norm, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (each(h).view(*h.shape[:2], heads, -1).transpose(1, 2) for each in (self.query, self.key, self.value))
        mask = torch.full((length, length), float("-inf")).triu(1)
        probabilities = torch.softmax(q @ k.transpose(-1, -2) / (width / heads) ** 0.5 + mask, dim=-1)
        x = x + self.out((probabilities @ v).transpose(1, 2).reshape(h.shape))
        return x + self.mlp(self.norm2(x))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(Block(), Block(), Block())
        self.head = nn.Linear(width, vocabulary)

    def forward(self, ids):
        return self.head(self.blocks(self.token(ids) + self.position.weight))


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95))
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.03**step)
steps = torch.tensor([1, 3, 7])
for _ in range(220):
    start, stride = torch.randint(0, vocabulary, (16, 1)), steps[torch.randint(0, 3, (16, 1))]
    ids = (start + stride * torch.arange(length + 1)) % vocabulary
    loss = nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
