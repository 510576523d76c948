"""word2vec, skip-gram with negative sampling"""

import torch
import torch.nn as nn
import torch.nn.functional as F


class SkipGram(nn.Module):
    def __init__(self, vocab_size, dim):
        super().__init__()
        self.centre = nn.Embedding(vocab_size, dim)
        self.context = nn.Embedding(vocab_size, dim)
        nn.init.uniform_(self.centre.weight, -0.5 / dim, 0.5 / dim)
        nn.init.zeros_(self.context.weight)

    def forward(self, word, positive, negative):
        v = self.centre(word)
        pos = (v * self.context(positive)).sum(dim=1)
        neg = torch.bmm(self.context(negative), v.unsqueeze(2)).squeeze(2)
        return -(F.logsigmoid(pos) + F.logsigmoid(-neg).sum(dim=1)).mean()


def topics(count, vocab, groups):
    """Sentences whose words come from one topic, with Zipf frequencies."""
    frequency = 1 / torch.arange(1, vocab // groups + 1).float()
    topic = torch.randint(groups, (count, 1))
    word = torch.multinomial(frequency, count * 8, replacement=True).view(count, 8)
    return topic * (vocab // groups) + word


def main():
    torch.manual_seed(0)
    vocab, groups = 200, 10
    sentences = topics(4000, vocab, groups)
    counts = torch.bincount(sentences.flatten(), minlength=vocab).float()
    noise = counts.pow(0.75)
    model = SkipGram(vocab, 24)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(500):
        sentence = sentences[torch.randint(len(sentences), (256,))]
        place = torch.rand(256, 8).argsort(dim=1)[:, :2]
        word, positive = sentence.gather(1, place).unbind(1)
        negative = torch.multinomial(noise, 256 * 5, replacement=True).view(256, 5)
        loss = model(word, positive, negative)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: {loss.item():.4f}")
    vector = F.normalize(model.centre.weight.detach(), dim=1)
    print("nearest to word 0:", (vector @ vector[0]).topk(5).indices.tolist())


if __name__ == "__main__":
    main()
