"""nn.TransformerEncoder with padding mask"""

import math

import torch
from torch import nn


class Positions(nn.Module):
    def __init__(self, size, length):
        super().__init__()
        position = torch.arange(length).unsqueeze(1)
        frequency = torch.exp(torch.arange(0, size, 2) * (-math.log(10000.0) / size))
        table = torch.zeros(length, size)
        table[:, 0::2] = torch.sin(position * frequency)
        table[:, 1::2] = torch.cos(position * frequency)
        self.register_buffer("table", table)

    def forward(self, x):
        return x + self.table[: x.size(1)]


class Sorter(nn.Module):
    """Reads numbers and says at each place what the sorted sequence has there."""

    def __init__(self, numbers, size=48, heads=4, layers=2, length=16):
        super().__init__()
        self.embed = nn.Embedding(numbers + 1, size, padding_idx=0)
        self.positions = Positions(size, length)
        layer = nn.TransformerEncoderLayer(size, heads, 2 * size, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(size), enable_nested_tensor=False)
        self.head = nn.Linear(size, numbers + 1)
        self.scale = math.sqrt(size)

    def forward(self, tokens):
        x = self.positions(self.embed(tokens) * self.scale)
        return self.head(self.encoder(x, src_key_padding_mask=tokens == 0))


def batch_of_numbers(batch, numbers, length):
    sizes = torch.randint(3, length + 1, (batch, 1))
    tokens = torch.randint(1, numbers + 1, (batch, length))
    padding = torch.arange(length) >= sizes
    target = tokens.masked_fill(padding, numbers + 1).sort(dim=1).values.masked_fill(padding, -100)
    return tokens.masked_fill(padding, 0), target


def main():
    torch.manual_seed(0)
    model = Sorter(numbers=8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(300):
        tokens, target = batch_of_numbers(32, numbers=8, length=10)
        logits = model(tokens)
        loss = nn.functional.cross_entropy(logits.transpose(1, 2), target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 30 == 0:
            print(f"step {step:3d} loss {loss.item():.4f}")


if __name__ == "__main__":
    main()
