import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def spirals(n_per_class, classes=3, seed=0):
    rng = np.random.RandomState(seed)
    pts, lab = [], []
    for c in range(classes):
        r = np.linspace(0.1, 1.0, n_per_class)
        t = np.linspace(c * 2.1, c * 2.1 + 3.0, n_per_class) + rng.randn(n_per_class) * 0.1
        pts.append(np.stack([r * np.sin(t), r * np.cos(t)], 1))
        lab.append(np.full(n_per_class, c))
    return np.concatenate(pts).astype("float32"), np.concatenate(lab)


class SpiralNet(nn.Module):
    def __init__(self, width=100, hidden_layers=6):
        super().__init__()
        dims = [2] + [width] * hidden_layers
        self.hidden = nn.ModuleList([nn.Linear(a, b) for a, b in zip(dims[:-1], dims[1:])])
        self.head = nn.Linear(width, 3)
        self.reset()

    def reset(self):
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0.0, std=1.0)
                nn.init.zeros_(m.bias)

    def forward(self, x):
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.head(x)


def main():
    torch.manual_seed(7)
    X, y = spirals(200)
    data = DataLoader(TensorDataset(torch.from_numpy(X), torch.from_numpy(y)), batch_size=50, shuffle=True)
    net = SpiralNet()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(40):
        total, hits = 0.0, 0
        for xb, yb in data:
            out = net(xb)
            loss = nn.functional.cross_entropy(out, yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(xb)
            hits += (out.argmax(1) == yb).sum().item()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1:3d}  loss {total / 600:.4f}  acc {hits / 600:.3f}")


if __name__ == "__main__":
    main()
