import torch
from torch import nn

torch.manual_seed(7)
centres = torch.randn(5, 24)


def draw(n, gain=1.0, offset=0.0):
    label = torch.randint(0, 5, (n,))
    x = centres[label] + 0.6 * torch.randn(n, 24)
    return gain * x + offset, label


net = nn.Sequential(
    nn.BatchNorm1d(24, momentum=0.002, affine=False),
    nn.Linear(24, 64), nn.ReLU(),
    nn.Linear(64, 5),
)
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for step in range(300):
    x, label = draw(64)
    loss = nn.functional.cross_entropy(net(x), label)
    opt.zero_grad()
    loss.backward()
    opt.step()
print("source training loss", loss.item())

scanner = dict(gain=4.0, offset=torch.linspace(-12, 12, 24))
net = net.to(torch.bfloat16)
dtype = net[1].weight.dtype
norm = net[0]
norm.train()
with torch.no_grad():
    for batch in range(2500):
        x, _ = draw(64, **scanner)
        norm(x.to(dtype))
        if batch % 500 == 0:
            print(f"batch {batch} tracked variance {norm.running_var.float().mean().item():.2f}")

net.eval()
x, label = draw(4000, **scanner)
with torch.no_grad():
    pred = net(x.to(dtype)).argmax(1)
print("variance of the data", x.var(0).mean().item())
print("accuracy on the new scanner", (pred == label).float().mean().item())
