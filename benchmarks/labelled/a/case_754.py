import torch
import torch.nn as nn
import torch.nn.functional as F


class PlainStack(nn.Module):
    def __init__(self, n_in, n_hidden, n_blocks, n_out):
        super().__init__()
        self.stem = nn.Linear(n_in, n_hidden)
        self.blocks = nn.ModuleList()
        for _ in range(n_blocks):
            self.blocks.append(nn.Linear(n_hidden, n_hidden))
        self.readout = nn.Linear(n_hidden, n_out)

    def forward(self, x):
        h = torch.tanh(self.stem(x))
        for block in self.blocks:
            h = torch.tanh(block(h))
        return self.readout(h)


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optim = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        self.log = []

    def step(self, x, y):
        self.model.train()
        loss = F.cross_entropy(self.model(x), y)
        self.optim.zero_grad()
        loss.backward()
        self.optim.step()
        self.log.append(loss.item())

    def fit(self, x, y, steps, batch):
        for i in range(steps):
            pick = torch.randint(0, len(x), (batch,))
            self.step(x[pick], y[pick])
            if i % 40 == 0:
                print(f"step {i}: loss {self.log[-1]:.4f}")


torch.manual_seed(3)
x = torch.randn(1500, 12)
centre = torch.randn(4, 12)
y = torch.cdist(x, centre).argmin(1)
trainer = Trainer(PlainStack(12, 40, 24, 4), lr=0.01)
trainer.fit(x, y, steps=320, batch=64)
print("mean loss over the last 20 steps:", sum(trainer.log[-20:]) / 20)
