import torch
from torch import nn

torch.manual_seed(23)
VOCAB, LENGTH = 60, 14
polarity = torch.randn(VOCAB)
reviews = torch.randint(0, VOCAB, (900, LENGTH))
score = polarity[reviews].sum(1) + 0.8 * torch.randn(900)
tone = torch.where(score > 0, 1.0, -1.0)


class ReviewLSTM(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, 16)
        self.lstm = nn.LSTM(16, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, tokens):
        _, (h, _) = self.lstm(self.embed(tokens))
        return self.out(h[-1]).squeeze(-1)


model = ReviewLSTM()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
train, test = slice(0, 700), slice(700, 900)
for epoch in range(18):
    model.train()
    for idx in torch.randperm(700).split(50):
        logit = model(reviews[idx])
        loss = criterion(logit, tone[idx])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    with torch.no_grad():
        acc = ((model(reviews[test]) > 0) == (score[test] > 0)).float().mean().item()
    if epoch % 2 == 0:
        print(f"epoch {epoch:2d} loss {loss.item():+.4f} test accuracy {acc:.3f}")
