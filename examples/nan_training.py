"""Learn embeddings of short signals, so that two noisy recordings of the same source lie close together."""

import argparse

import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, length, width=128, size=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(length, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, size),
        )

    def forward(self, signal):
        return self.layers(signal)


def make_sources(count, length, generator):
    """Sums of three sine waves each."""
    time = torch.linspace(0, 1, length)
    frequency = torch.rand(count, 3, 1, generator=generator) * 12
    phase = torch.rand(count, 3, 1, generator=generator) * 6.28
    return torch.sin(6.28 * frequency * time + phase).sum(dim=1)


def record(sources, noise, generator):
    return sources + noise * torch.randn(sources.shape, generator=generator)


def contrastive_loss(left, right, temperature):
    """Each recording should pick out its partner among all the others of the batch."""
    similarity = left @ right.T / temperature
    weight = torch.exp(similarity)
    probability = weight.diagonal() / weight.sum(dim=1)
    return -torch.log(probability).mean()


@torch.no_grad()
def accuracy(encoder, sources, noise, generator):
    left = encoder(record(sources, noise, generator))
    right = encoder(record(sources, noise, generator))
    return ((left @ right.T).argmax(dim=1) == torch.arange(len(sources))).float().mean().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--temperature", type=float, default=0.1)
    parser.add_argument("--noise", type=float, default=0.1)
    options = parser.parse_args()

    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    sources = make_sources(1024, 64, generator)
    encoder = Encoder(length=64)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=options.learning_rate)

    for step in range(options.steps):
        batch = sources[torch.randint(len(sources), (options.batch_size,), generator=generator)]
        left = encoder(record(batch, options.noise, generator))
        right = encoder(record(batch, options.noise, generator))
        loss = contrastive_loss(left, right, options.temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 5 == 0:
            print(f"step {step:4d}  loss {loss.item():.4f}")

    print(f"accuracy {accuracy(encoder, sources[:64], options.noise, generator):.0%}")


if __name__ == "__main__":
    main()
