"""Segment organs in small synthetic slices with the generalised Dice loss."""
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(3)
classes, size = 4, 24


def slices(count):
    image = 0.1 * torch.randn(count, 1, size, size)
    label = torch.zeros(count, size, size, dtype=torch.long)
    for i in range(count):
        for k in (torch.randperm(classes - 1)[:2] + 1).tolist():
            top, left = torch.randint(0, size - 9, (2,)).tolist()
            label[i, top:top + 7, left:left + 7] = k
            image[i, 0, top:top + 7, left:left + 7] = 0.8 * k
    return image, label


def generalised_dice(logits, label, eps=1e-6):
    p = logits.softmax(1).flatten(2)
    y = F.one_hot(label, classes).permute(0, 3, 1, 2).flatten(2).float()
    weight = 1 / (y.sum(-1) ** 2 + eps)
    overlap = (weight * (p * y).sum(-1)).sum(-1)
    total = (weight * (p + y).sum(-1)).sum(-1)
    return (1 - 2 * overlap / total).mean()


image, label = slices(160)
test_image, test_label = slices(60)
net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
                    nn.Conv2d(16, classes, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(20):
    for batch in torch.randperm(160).split(16):
        loss = generalised_dice(net(image[batch]), label[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0 or epoch == 19:
        with torch.no_grad():
            found = net(test_image).argmax(1)
        recall = [((found == k) & (test_label == k)).sum().item() / (test_label == k).sum().item() for k in range(classes)]
        print(f"epoch {epoch:2d} loss {loss.item():.4f} recall per class {[round(r, 3) for r in recall]}")
