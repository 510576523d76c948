"""averaged weights: EMA while training, SWA at its end"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn


def checkerboard(n):
    x = 4 * torch.rand(n, 2) - 2
    label = (x.floor().sum(dim=1) % 2 != 0).long()
    flipped = torch.rand(n) < 0.02
    return x, torch.where(flipped, 1 - label, label)


def network():
    return nn.Sequential(
        nn.Linear(2, 96),
        nn.BatchNorm1d(96),
        nn.ReLU(),
        nn.Linear(96, 96),
        nn.BatchNorm1d(96),
        nn.ReLU(),
        nn.Linear(96, 2),
    )


torch.manual_seed(0)
x, y = checkerboard(4000)
batches = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=100, shuffle=True)
model = network()
ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
swa = AveragedModel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
swa_schedule = SWALR(optimizer, swa_lr=0.05, anneal_epochs=2)
epochs, swa_start = 12, 8
for epoch in range(epochs):
    for inputs, labels in batches:
        loss = F.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update_parameters(model)
    if epoch >= swa_start:
        swa.update_parameters(model)
        swa_schedule.step()
    print(f"epoch {epoch}: loss {loss.item():.4f}")

update_bn(batches, swa)
update_bn(batches, ema)
test_x, test_y = checkerboard(2000)
for name, each in (("last", model), ("EMA", ema), ("SWA", swa)):
    each.eval()
    print(name, f"{(each(test_x).argmax(1) == test_y).float().mean():.1%}")
