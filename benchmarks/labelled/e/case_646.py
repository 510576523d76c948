import argparse
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
parser.add_argument("--lr", type=float, default=8e-4)
parser.add_argument("--steps", type=int, default=300)
args = parser.parse_args()
torch.manual_seed(6)
dtype = getattr(torch, args.dtype)
VOCAB, DIM, CONTEXT = 120, 64, 2
successor = torch.randperm(VOCAB)


def windows(n):
    first = torch.randint(0, VOCAB, (n,))
    rows = [first]
    for _ in range(CONTEXT):
        jump = torch.rand(n) < 0.1
        rows.append(torch.where(jump, torch.randint(0, VOCAB, (n,)), successor[rows[-1]]))
    ids = torch.stack(rows, 1)
    return ids[:, :-1], ids[:, -1]


class NextToken(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, DIM)
        self.position_gain = nn.Parameter(torch.ones(CONTEXT, DIM))
        self.unembed = nn.Embedding(VOCAB, DIM)
        self.logit_scale = 2 * DIM ** -0.5

    def forward(self, ids):
        h = (self.embed(ids) * self.position_gain).mean(1)
        return h @ self.unembed.weight.T * self.logit_scale


model = NextToken().to(dtype)
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.0)
losses = []
for step in range(args.steps):
    ids, target = windows(256)
    loss = nn.functional.cross_entropy(model(ids).float(), target)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if step % 30 == 0:
        print(f"{step} loss {loss.item():.4f}")
print("mean of the last 20", sum(losses[-20:]) / 20)
