import torch
from torch import nn

torch.manual_seed(11)
SEQ, HID, BATCH = 80, 96, 48


class SensorClassifier(nn.Module):
    """Classifies vibration recordings by their dominant frequency"""

    def __init__(self, channels=3, hidden=HID, classes=4):
        super().__init__()
        self.rnn = nn.RNN(channels, hidden, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(hidden, classes)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.xavier_uniform_(self.rnn.weight_ih_l0)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)
        nn.init.zeros_(self.rnn.bias_ih_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)

    def forward(self, x):
        out, _ = self.rnn(x)
        return self.fc(out.mean(1))


def recordings(n):
    label = torch.randint(0, 4, (n,))
    freq = 0.02 + 0.04 * label.float()
    t = torch.arange(SEQ).float()
    phase = 6.28 * torch.rand(n, 1, 3)
    wave = torch.sin(6.28 * freq[:, None, None] * t[None, :, None] + phase)
    return wave + 0.2 * torch.randn(n, SEQ, 3), label


train_x, train_y = recordings(960)
net = SensorClassifier()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(10):
    total, correct = 0.0, 0
    for idx in torch.randperm(len(train_x)).split(BATCH):
        logits = net(train_x[idx])
        loss = criterion(logits, train_y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
        correct += (logits.argmax(1) == train_y[idx]).sum().item()
    print(f"epoch {epoch} loss {total / len(train_x):.4f} acc {correct / len(train_x):.3f}")
