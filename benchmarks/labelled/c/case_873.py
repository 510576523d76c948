import numpy as np
import torch

rng = np.random.default_rng(4)
N, WASHOUT, LENGTH = 150, 100, 1600


def narma(u):
    y = np.zeros(len(u))
    for t in range(9, len(u) - 1):
        y[t + 1] = 0.3 * y[t] + 0.05 * y[t] * y[t - 9:t + 1].sum() + 1.5 * u[t - 9] * u[t] + 0.1
    return y


class Reservoir:
    def __init__(self, n, radius=0.95, input_scaling=0.5):
        w = rng.normal(size=(n, n)) * (rng.random((n, n)) < 0.1)
        self.w = w * radius / np.abs(np.linalg.eigvals(w)).max()
        self.w_in = input_scaling * rng.uniform(-1, 1, n)
        self.bias = 0.2 * rng.uniform(-1, 1, n)

    def run(self, u):
        x = np.zeros(len(self.bias))
        states = []
        for value in u:
            x = np.tanh(self.w @ x + self.w_in * value + self.bias)
            states.append(x)
        return np.array(states)


u = rng.uniform(0, 0.5, LENGTH)
target = narma(u)
states = Reservoir(N).run(u)[WASHOUT:]
H = torch.tensor(states, dtype=torch.float32)
y = torch.tensor(target[WASHOUT:], dtype=torch.float32)
train = slice(0, 1000)
mean, scale = H[train].mean(0), H[train].std(0) + 1e-3
H = (H - mean) / scale

w_out = torch.zeros(N, requires_grad=True)
b_out = torch.zeros(1, requires_grad=True)
opt = torch.optim.Adam([w_out, b_out], lr=2e-3)
for step in range(1500):
    loss = ((H[train] @ w_out + b_out - y[train]) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 250 == 0:
        print(f"step {step} nmse {loss.item() / y[train].var().item():.4f}")
with torch.no_grad():
    error = ((H[1000:] @ w_out + b_out - y[1000:]) ** 2).mean() / y[1000:].var()
print("test nmse", error.item())
