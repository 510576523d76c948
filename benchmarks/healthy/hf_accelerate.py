"""accelerate loop with gradient accumulation, ResNet of transformers"""

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader, TensorDataset
from transformers import ResNetConfig, ResNetForImageClassification


def stripes(count):
    """Horizontal, vertical or diagonal stripes."""
    label = torch.randint(3, (count,))
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    along = torch.stack([y, x, (x + y) / 2**0.5])[label]
    wave = torch.sin(0.9 * along + 6.28 * torch.rand(count, 1, 1))
    return wave[:, None].repeat(1, 3, 1, 1) + 0.5 * torch.randn(count, 3, 24, 24), label


def main():
    torch.manual_seed(0)
    accelerator = Accelerator(gradient_accumulation_steps=2, cpu=True)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", num_labels=3)
    model = ResNetForImageClassification(config)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    loader = DataLoader(TensorDataset(*stripes(1280)), batch_size=16, shuffle=True)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    model.train()
    for epoch in range(5):
        total = 0.0
        for image, label in loader:
            with accelerator.accumulate(model):
                loss = model(pixel_values=image, labels=label).loss
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
            total += loss.item()
        accelerator.print(f"epoch {epoch}: {total / len(loader):.4f}")


if __name__ == "__main__":
    main()
