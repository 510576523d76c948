import torch
import torch.nn as nn

torch.manual_seed(27)


class HashEncoder(nn.Module):
    def __init__(self, d, bits, beta):
        super().__init__()
        self.fc1 = nn.Linear(d, 64)
        self.fc2 = nn.Linear(64, bits)
        self.beta = beta

    def forward(self, x):
        h = nn.functional.silu(self.fc1(x))
        return torch.tanh(self.beta * self.fc2(h))


def pair_loss(code_a, code_b, same):
    agreement = (code_a * code_b).mean(1)
    return ((agreement - same) ** 2).mean()


centres = 2.0 * torch.randn(6, 20)


def pairs(n):
    a = torch.randint(0, 6, (n,))
    b = torch.where(torch.rand(n) < 0.5, a, torch.randint(0, 6, (n,)))
    same = (a == b).float()
    noise = torch.randn(2, n, 20)
    return centres[a] + noise[0], centres[b] + noise[1], same


encoder = HashEncoder(d=20, bits=16, beta=1.0)
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1, momentum=0.9)
record = []
for step in range(500):
    xa, xb, same = pairs(64)
    loss = pair_loss(encoder(xa), encoder(xb), same)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    record.append(loss.item())
    if (step + 1) % 50 == 0:
        print(f"step {step + 1} pair loss {sum(record[-50:]) / 50:.4f}")
