import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(1)


class Blobs(Dataset):
    """one small bright disc per noisy image"""

    def __init__(self, n, size=24):
        yy, xx = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
        cy, cx = torch.randint(4, size - 4, (2, n, 1, 1))
        self.masks = ((yy - cy) ** 2 + (xx - cx) ** 2 <= 6).float().unsqueeze(1)
        self.images = 1.2 * self.masks + 0.4 * torch.randn(n, 1, size, size)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], self.masks[i]


class SegNet(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, 1, 1),
        )

    def forward(self, x):
        return torch.sigmoid(self.body(x))


loader = DataLoader(Blobs(240), batch_size=24, shuffle=True)
test = Blobs(80)
net = SegNet()
criterion = nn.BCEWithLogitsLoss()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
for epoch in range(12):
    for images, masks in loader:
        loss = criterion(net(images), masks)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        out = net(test.images)
        found = (out > 0.5).float()
        dice = 2 * (found * test.masks).sum() / (found.sum() + test.masks.sum())
    print(f"epoch {epoch} loss {loss.item():.4f} dice {dice.item():.3f}")
