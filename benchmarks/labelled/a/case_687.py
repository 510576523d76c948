from functools import reduce

import torch
from torch import nn


class DeepLinearMap(nn.Module):
    """y = W_L ... W_2 W_1 x, for the study of learning dynamics"""

    def __init__(self, dim, depth, gain):
        super().__init__()
        self.weights = nn.ParameterList(
            nn.Parameter(nn.init.orthogonal_(torch.empty(dim, dim), gain=gain)) for _ in range(depth)
        )

    def forward(self, x):
        return reduce(lambda h, w: h @ w.t(), self.weights, x)

    def end_to_end(self):
        return reduce(lambda acc, w: w @ acc, self.weights)


class Experiment:
    dim = 20
    depth = 24
    gain = 1.5

    def __init__(self, seed):
        torch.manual_seed(seed)
        u, _ = torch.linalg.qr(torch.randn(self.dim, self.dim))
        v, _ = torch.linalg.qr(torch.randn(self.dim, self.dim))
        self.teacher = u @ torch.diag(torch.linspace(0.3, 1.5, self.dim)) @ v
        self.student = DeepLinearMap(self.dim, self.depth, self.gain)
        self.optimizer = torch.optim.SGD(self.student.parameters(), lr=0.02)

    def run(self, steps):
        for step in range(steps):
            x = torch.randn(128, self.dim)
            loss = 0.5 * (self.student(x) - x @ self.teacher.t()).pow(2).sum(1).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            if step % 40 == 0:
                gap = (self.student.end_to_end() - self.teacher).norm().item()
                print(f"t={step:3d} loss={loss.item():.5g} distance to the teacher={gap:.4g}")


Experiment(seed=26).run(400)
