import argparse
import numpy as np
import torch
import torch.nn as nn

parser = argparse.ArgumentParser()
parser.add_argument("--window", type=int, default=24)
parser.add_argument("--hidden", type=int, default=32)
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--lr", type=float, default=1e-2)
args = parser.parse_args()

rng = np.random.default_rng(7)
torch.manual_seed(7)
hours = np.arange(1500)
load = 3.8 + 1.2 * np.sin(2 * np.pi * hours / 24) + 0.5 * np.sin(2 * np.pi * hours / 168) + rng.normal(0, 0.1, hours.size)
scaled = (load - load.mean()) / load.std()

inputs = np.stack([scaled[i:i + args.window] for i in range(len(load) - args.window)])
targets = load[args.window:]
inputs = torch.tensor(inputs, dtype=torch.float32).unsqueeze(-1)
targets = torch.tensor(targets, dtype=torch.float32)


class DemandForecaster(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.fc1 = nn.Linear(hidden, hidden)
        self.fc2 = nn.Linear(hidden, 1)

    def forward(self, x):
        _, h = self.rnn(x)
        h = torch.tanh(self.fc1(h[-1]))
        return self.fc2(h).squeeze(-1)


model = DemandForecaster(args.hidden)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
for epoch in range(args.epochs):
    running = 0.0
    order = torch.randperm(len(inputs))
    for idx in order.split(64):
        optimizer.zero_grad()
        loss = criterion(model(inputs[idx]), targets[idx])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(idx)
    print(f"epoch {epoch + 1} mse {running / len(inputs):.4f}")
