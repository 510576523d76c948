import torch
import torch.nn as nn

cfg = [8, 8, 8, "M", 12, 12, 12, 12, "M", 16, 16, 16, 16]


def make_layers(cfg, in_channels=3):
    layers = []
    for v in cfg:
        if v == "M":
            layers += [nn.MaxPool2d(2)]
        else:
            conv = nn.Conv2d(in_channels, v, kernel_size=3, padding=1)
            layers += [conv, nn.ReLU(inplace=True)]
            in_channels = v
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers)


class VGG(nn.Module):
    def __init__(self, classes=6):
        super().__init__()
        self.features = make_layers(cfg)
        self.classifier = nn.Linear(16, classes)

    def forward(self, x):
        return self.classifier(self.features(x))


class Shapes:
    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.y = torch.randint(0, 6, (n,), generator=g)
        self.x = 0.3 * torch.randn(n, 3, 12, 12, generator=g)
        for i in range(n):
            colour, shape = divmod(int(self.y[i]), 2)
            r, c = torch.randint(0, 6, (2,), generator=g).tolist()
            if shape:
                self.x[i, colour, r:r + 6, c + 2:c + 4] += 1.5
            else:
                self.x[i, colour, r + 2:r + 4, c:c + 6] += 1.5

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


torch.manual_seed(0)
loader = torch.utils.data.DataLoader(Shapes(320, seed=1), batch_size=32, shuffle=True)
net = VGG()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
for epoch in range(8):
    seen, total, correct = 0, 0.0, 0
    for inputs, targets in loader:
        outputs = net(inputs)
        loss = nn.functional.cross_entropy(outputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(targets)
        correct += outputs.argmax(1).eq(targets).sum().item()
        seen += len(targets)
    print(f"Epoch {epoch} Loss: {total / seen:.4f} Acc: {100 * correct / seen:.1f}%")
