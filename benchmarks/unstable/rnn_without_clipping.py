"""a recurrent network on long sequences, gradients not clipped"""

import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNN(2, 64, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(64, 1)
        with torch.no_grad():
            self.cell.weight_hh_l0.copy_(torch.eye(64))  # Le et al. 2015: identity start

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=2e-5)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.04**step)
for _ in range(200):
    values = torch.rand(32, 60, 1)
    marks = torch.zeros(32, 60, 1)
    rows = torch.arange(32)
    marks[rows, torch.randint(0, 30, (32,)), 0] = 1
    marks[rows, torch.randint(30, 60, (32,)), 0] = 1
    y = (values * marks).sum(1)
    loss = nn.functional.mse_loss(model(torch.cat([values, marks], 2)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
