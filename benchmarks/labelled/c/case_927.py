import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
SEQ, HIDDEN = 80, 48


def water_level(n):
    """level of a tank after a day of inflow and outflow"""
    flows = torch.rand(n, SEQ, 2)
    return flows, 0.2 * (flows[..., 0] - flows[..., 1]).sum(1, keepdim=True)


class IRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, HIDDEN, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.1)
        for bias in (self.rnn.bias_ih_l0, self.rnn.bias_hh_l0):
            nn.init.zeros_(bias)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


loader = DataLoader(TensorDataset(*water_level(1200)), batch_size=40, shuffle=True)
model = IRNN()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
for epoch in range(12):
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    print(f"epoch {epoch} mse {total / 1200:.5g}")
