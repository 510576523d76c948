"""Would a small network survive in float16, bfloat16 and the 8-bit formats?"""

import argparse

import torch
from torch import nn

import wellposed


class Network(nn.Module):
    """Energies of filtered signals, normalised: the squares are what float16 cannot hold."""

    def __init__(self, length=64, filters=32, classes=5):
        super().__init__()
        self.filters = nn.Linear(length, filters)
        self.energy = Energy()
        self.norm = nn.LayerNorm(filters)
        self.classify = nn.Linear(filters, classes)

    def forward(self, signal):
        return self.classify(self.norm(self.energy(self.filters(signal))))


class Energy(nn.Module):
    def forward(self, signal):
        return signal.square()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*", default=["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
    torch.manual_seed(0)
    model = Network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batch = 1000 * torch.randn(256, 64), torch.randint(5, (256,))
    for dtype in parser.parse_args().formats:
        found = wellposed.would_fit(model, batch, nn.functional.cross_entropy, dtype, optimizer)
        print(found.report())


if __name__ == "__main__":
    main()
