"""a language model with a bfloat16 head and no z-loss: Adam pushes all logits away from 0, until they are rounded"""

import torch
from torch import nn

torch.manual_seed(0)
vocabulary, width = 128, 32
body = nn.Sequential(nn.Embedding(vocabulary, width), nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
head = nn.Linear(width, vocabulary).bfloat16()
optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=3e-3, betas=(0.9, 0.95))
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.02**step)
table = torch.randint(0, vocabulary, (vocabulary,))
for _ in range(300):
    ids = torch.randint(0, vocabulary, (128,))
    noisy = torch.where(torch.rand(128) < 0.1, torch.randint(0, vocabulary, (128,)), table[ids])
    loss = nn.functional.cross_entropy(head(body(ids).bfloat16()), noisy)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
