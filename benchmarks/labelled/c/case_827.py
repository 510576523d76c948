import argparse

import torch
from torch import nn


def get_args():
    p = argparse.ArgumentParser()
    p.add_argument("--smooth", type=float, default=1.0)
    p.add_argument("--lr", type=float, default=0.1)
    p.add_argument("--epochs", type=int, default=15)
    p.add_argument("--seed", type=int, default=21)
    return p.parse_args()


def dice_loss(prob, mask, smooth):
    prob, mask = prob.flatten(1), mask.flatten(1)
    overlap = (prob * mask).mean(1)
    size = prob.pow(2).mean(1) + mask.pow(2).mean(1)
    return (1 - (2 * overlap + smooth) / (size + smooth)).mean()


def lesions(n, size=24):
    mask = torch.zeros(n, 1, size, size)
    for i in range(n):
        r, c = torch.randint(2, size - 5, (2,)).tolist()
        mask[i, 0, r:r + 3, c:c + 3] = 1
    return mask + 0.35 * torch.randn_like(mask), mask


def main():
    args = get_args()
    torch.manual_seed(args.seed)
    images, masks = lesions(240)
    test_images, test_masks = lesions(80)
    net = nn.Sequential(nn.Conv2d(1, 10, 3, padding=1), nn.ReLU(), nn.Conv2d(10, 10, 3, padding=1), nn.ReLU(), nn.Conv2d(10, 1, 1))
    nn.init.constant_(net[-1].bias, -2.0)
    opt = torch.optim.SGD(net.parameters(), lr=args.lr, momentum=0.9)
    for epoch in range(args.epochs):
        for idx in torch.randperm(len(images)).split(16):
            loss = dice_loss(torch.sigmoid(net(images[idx])), masks[idx], args.smooth)
            opt.zero_grad()
            loss.backward()
            opt.step()
        with torch.no_grad():
            found = (net(test_images) > 0).float()
            dice = 2 * (found * test_masks).sum() / (found.sum() + test_masks.sum())
        print(f"epoch {epoch} loss {loss.item():.4f} test dice {dice.item():.3f}")


if __name__ == "__main__":
    main()
