"""mixed precision, float16 autocast with GradScaler"""

import torch
from torch import nn


def sine_tokens(batch, length=24, levels=32):
    """Quantised sine waves, of which the next level is to be predicted."""
    time = torch.arange(length + 1)
    frequency = 0.15 + 0.35 * torch.rand(batch, 1)
    wave = torch.sin(frequency * time + 6.28 * torch.rand(batch, 1))
    return ((wave + 1) / 2 * (levels - 1)).round().long()


class CausalConv(nn.Module):
    def __init__(self, levels=32, width=32):
        super().__init__()
        self.embed = nn.Embedding(levels, width)
        self.convs = nn.ModuleList(nn.Conv1d(width, width, 2, dilation=2**i) for i in range(3))
        self.head = nn.Linear(width, levels)

    def forward(self, tokens):
        x = self.embed(tokens).transpose(1, 2)
        for i, conv in enumerate(self.convs):
            x = x + torch.relu(conv(nn.functional.pad(x, (2**i, 0))))
        return self.head(x.transpose(1, 2))


def main():
    torch.manual_seed(0)
    model = CausalConv()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scaler = torch.amp.GradScaler("cpu")
    for step in range(300):
        tokens = sine_tokens(16)
        optimizer.zero_grad()
        with torch.autocast(device_type="cpu", dtype=torch.float16):
            logits = model(tokens[:, :-1])
            loss = nn.functional.cross_entropy(logits.transpose(1, 2), tokens[:, 1:])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        if step % 30 == 0:
            print(f"step {step}: loss {loss.item():.4f}, scale {scaler.get_scale():.0f}")


if __name__ == "__main__":
    main()
