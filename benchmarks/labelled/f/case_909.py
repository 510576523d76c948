"""Class weights for a street-scene segmentation from the pixel counts of the training set."""
import torch

torch.manual_seed(13)
names = ["road", "building", "vegetation", "car", "person", "sign"]
share = torch.tensor([0.78, 0.12, 0.07, 0.02, 0.007, 0.003])
height, width, images = 768, 1024, 42
palette = torch.multinomial(share, height * width, replacement=True)


def label_map(index):
    return palette.roll(index * 977).view(height, width)


counts = torch.zeros(len(names), dtype=torch.float64)
pixels = 0
for index in range(images):
    labels = label_map(index).flatten()
    counts.scatter_add_(0, labels, torch.ones(labels.numel(), dtype=torch.float64))
    pixels += labels.numel()

frequency = counts / counts.sum()
weights = frequency.median() / frequency
weights = weights.clamp(max=20)
print("images:", images, "pixels:", pixels)
print("counted pixels:", int(counts.sum().item()))
for name, count, part, weight in zip(names, counts.tolist(), frequency.tolist(), weights.tolist()):
    print(f"{name:10s} {int(count):9d} pixels  share {part:.4f}  weight {weight:.4f}")
print("sum of the shares:", round(frequency.sum().item(), 6))
print("share of the largest class:", round(frequency.max().item(), 4))
print("pixels per image of the largest class:", round(counts.max().item() / images, 1))
