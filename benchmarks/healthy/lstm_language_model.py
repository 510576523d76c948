"""LSTM language model with tied embeddings"""

import torch
from torch import nn

VOCABULARY, EMBEDDING, LENGTH, BATCH = 50, 64, 24, 16


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING)
        self.lstm = nn.LSTM(EMBEDDING, EMBEDDING, num_layers=2, dropout=0.1, batch_first=True)
        self.decoder = nn.Linear(EMBEDDING, VOCABULARY)
        self.decoder.weight = self.embedding.weight
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, tokens, state=None):
        hidden, state = self.lstm(self.embedding(tokens), state)
        return self.decoder(hidden), state


def markov_text(length):
    """Every word is followed by one of four others."""
    followers = torch.randint(VOCABULARY, (VOCABULARY, 4))
    choices = torch.randint(4, (length,))
    words = [0]
    for choice in choices.tolist():
        words.append(followers[words[-1], choice].item())
    return torch.tensor(words)


def main():
    torch.manual_seed(0)
    text = markov_text(BATCH * 1200)
    columns = text[: len(text) // BATCH * BATCH].view(BATCH, -1)
    model = LanguageModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(5):
        state = None
        total, count = 0.0, 0
        for start in range(0, columns.shape[1] - LENGTH - 1, LENGTH):
            tokens = columns[:, start : start + LENGTH]
            target = columns[:, start + 1 : start + LENGTH + 1]
            logits, state = model(tokens, state)
            state = tuple(each.detach() for each in state)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item()
            count += 1
        print(f"epoch {epoch}  perplexity {torch.tensor(total / count).exp():.2f}")


if __name__ == "__main__":
    main()
