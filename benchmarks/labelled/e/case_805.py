import argparse
import math
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--inner-steps", type=int, default=10)
parser.add_argument("--inner-lr", type=float, default=0.1)
parser.add_argument("--meta-lr", type=float, default=0.03)
parser.add_argument("--iterations", type=int, default=130)
args = parser.parse_args()
torch.manual_seed(1)


def new_task():
    amplitude = 1.5 + 2.0 * torch.rand(1)
    phase = math.pi * torch.rand(1)

    def draw(n):
        x = 2 * torch.rand(n, 1) - 1
        return x, amplitude * torch.sin(5 * x + phase)

    return draw


def initial_weights(width=40):
    sizes = [(1, width), (width, width), (width, 1)]
    weights = []
    for a, b in sizes:
        weights += [torch.randn(a, b) * (1.0 / a) ** 0.5, torch.zeros(b)]
    return [w.requires_grad_() for w in weights]


def predict(w, x):
    h = torch.relu(x @ w[0] + w[1])
    h = torch.relu(h @ w[2] + w[3])
    return h @ w[4] + w[5]


def adapt(w, x, y):
    for _ in range(args.inner_steps):
        loss = nn.functional.mse_loss(predict(w, x), y)
        grads = torch.autograd.grad(loss, w, create_graph=True)
        w = [p - args.inner_lr * g for p, g in zip(w, grads)]
    return w


meta = initial_weights()
optimizer = torch.optim.SGD(meta, lr=args.meta_lr, momentum=0.9)
history = []
for it in range(args.iterations):
    optimizer.zero_grad()
    total = 0.0
    for _ in range(4):
        draw = new_task()
        fast = adapt(meta, *draw(10))
        x, y = draw(10)
        query_loss = nn.functional.mse_loss(predict(fast, x), y) / 4
        query_loss.backward()
        total += query_loss.item()
    optimizer.step()
    history.append(total)
    if it % 10 == 0:
        print(f"iteration {it} query loss {total:.4f}")
print("last twenty", sum(history[-20:]) / 20)
