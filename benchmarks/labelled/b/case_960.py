import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

torch.manual_seed(29)
teacher = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 3))
x = torch.randn(1500, 12)
with torch.no_grad():
    clean = (6 * teacher(x)).argmax(1)
noisy = torch.where(torch.rand(1500) < 0.2, torch.randint(0, 3, (1500,)), clean)


def flat(model):
    return parameters_to_vector(model.parameters()).detach()


def clean_loss(model):
    with torch.no_grad():
        return nn.functional.cross_entropy(model(x), clean).item()


net = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 3))
shadow = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 3))
opt = torch.optim.SGD(net.parameters(), lr=0.15)
average, seen = None, 0
for it in range(4000):
    idx = torch.randint(0, 1500, (16,))
    loss = nn.functional.cross_entropy(net(x[idx]), noisy[idx])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it == 100:
        average = flat(net).to(torch.float32)
    if it > 100:
        seen += 1
        average += (flat(net) - average) / (seen + 1)
    if it % 400 == 399:
        vector_to_parameters(average.float(), shadow.parameters())
        print(f"{it + 1} steps: last iterate {clean_loss(net):.4f} average {clean_loss(shadow):.4f}")
