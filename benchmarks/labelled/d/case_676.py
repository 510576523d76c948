import argparse
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--hidden", type=int, default=64)
parser.add_argument("--length", type=int, default=60)
parser.add_argument("--lr", type=float, default=0.001)
parser.add_argument("--clip", type=float, default=1.0)
parser.add_argument("--steps", type=int, default=250)
args = parser.parse_args()

torch.manual_seed(7)


class ReluCell(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.inp = nn.Linear(n_in, n_hidden)
        self.rec = nn.Linear(n_hidden, n_hidden, bias=False)
        nn.init.normal_(self.inp.weight, std=0.05)
        nn.init.zeros_(self.inp.bias)
        nn.init.eye_(self.rec.weight)

    def forward(self, x, h):
        return torch.relu(self.inp(x) + self.rec(h))


class Adder(nn.Module):
    def __init__(self, n_hidden):
        super().__init__()
        self.n_hidden = n_hidden
        self.cell = ReluCell(2, n_hidden)
        self.head = nn.Linear(n_hidden, 1)

    def forward(self, seq):
        h = seq.new_zeros(seq.shape[0], self.n_hidden)
        for t in range(seq.shape[1]):
            h = self.cell(seq[:, t], h)
        return self.head(h).squeeze(1)


def make_batch(n, length):
    values = torch.rand(n, length)
    marks = (torch.rand(n, length) < 0.1).float()
    return torch.stack([values, marks], -1), (values * marks).sum(1)


model = Adder(args.hidden)
opt = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
for step in range(args.steps):
    x, y = make_batch(64, args.length)
    loss = nn.functional.mse_loss(model(x), y)
    opt.zero_grad()
    norm = nn.utils.clip_grad_norm_(model.parameters(), args.clip)
    loss.backward()
    opt.step()
    if step % 10 == 0:
        print(f"step {step:4d} loss {loss.item():.4f} norm {float(norm):.3f}")
