import argparse

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--hidden", type=int, default=96)
parser.add_argument("--layers", type=int, default=3)
parser.add_argument("--omega", type=float, default=30.0)
parser.add_argument("--steps", type=int, default=250)
parser.add_argument("--lr", type=float, default=2e-4)
args = parser.parse_args()
torch.manual_seed(0)


class SineLayer(nn.Module):
    def __init__(self, fan_in, fan_out, omega, first=False):
        super().__init__()
        self.omega = omega
        self.linear = nn.Linear(fan_in, fan_out)
        bound = 1 / fan_in if first else (6 / fan_in) ** 0.5 / omega
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(self.omega * self.linear(x))


def picture(xy):
    r = xy.pow(2).sum(1, keepdim=True).sqrt()
    return torch.sin(9 * r) * torch.exp(-r ** 2) + 0.5 * (xy[:, :1] > 0.2).float()


side = torch.linspace(-1, 1, 40)
grid = torch.cartesian_prod(side, side)
shifted = grid[:-41] + 0.5 * (side[1] - side[0])
layers = [SineLayer(2, args.hidden, args.omega, first=True)]
layers += [SineLayer(args.hidden, args.hidden, args.omega) for _ in range(args.layers)]
net = nn.Sequential(*layers, nn.Linear(args.hidden, 1))
opt = torch.optim.Adam(net.parameters(), lr=args.lr)
for step in range(args.steps):
    loss = ((net(grid) - picture(grid)) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        with torch.no_grad():
            between = ((net(shifted) - picture(shifted)) ** 2).mean()
        print(f"step {step} mse {loss.item():.5f} between the pixels {between.item():.5f}")
with torch.no_grad():
    print("between the pixels", ((net(shifted) - picture(shifted)) ** 2).mean().item())
