"""sequence to sequence with label smoothing and ignore_index"""

import torch
from torch import nn

PAD, START, END, WORDS = 0, 1, 2, 20


class Reverser(nn.Module):
    """A small nn.Transformer that writes its input backwards."""

    def __init__(self, size=48):
        super().__init__()
        self.source = nn.Embedding(WORDS, size, padding_idx=PAD)
        self.target = nn.Embedding(WORDS, size, padding_idx=PAD)
        self.place = nn.Parameter(0.02 * torch.randn(12, size))
        self.transformer = nn.Transformer(size, 4, 1, 1, 2 * size, dropout=0.1, batch_first=True, norm_first=True)
        self.generator = nn.Linear(size, WORDS)

    def forward(self, source, target):
        hidden = self.transformer(
            self.source(source) + self.place[: source.shape[1]],
            self.target(target) + self.place[: target.shape[1]],
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(target.shape[1]),
            src_key_padding_mask=(source == PAD).float().masked_fill(source == PAD, float("-inf")),
            memory_key_padding_mask=(source == PAD).float().masked_fill(source == PAD, float("-inf")),
        )
        return self.generator(hidden)


def sentences(count, longest=8):
    sources, targets = [], []
    for length in torch.randint(2, longest + 1, (count,)).tolist():
        words = torch.randint(3, WORDS, (length,))
        sources.append(words)
        targets.append(torch.cat([torch.tensor([START]), words.flip(0), torch.tensor([END])]))
    pad = nn.utils.rnn.pad_sequence
    return pad(sources, True, PAD), pad(targets, True, PAD)


def main():
    torch.manual_seed(0)
    model = Reverser()
    criterion = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.98))
    for step in range(300):
        source, target = sentences(32)
        logits = model(source, target[:, :-1])
        loss = criterion(logits.reshape(-1, WORDS), target[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 30 == 0:
            print(f"step {step}: {loss.item():.4f}")


if __name__ == "__main__":
    main()
