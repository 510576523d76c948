"""BERT of transformers, masked language model"""

import torch
from transformers import BertConfig, BertForMaskedLM

PAD, MASK, FIRST = 0, 1, 2


def sentences(count, words=12, longest=12):
    """Each word is said twice in a row, so that a masked one can be read from its neighbour."""
    length = 2 * torch.randint(3, longest // 2 + 1, (count, 1))
    tokens = torch.randint(FIRST, FIRST + words, (count, longest // 2)).repeat_interleave(2, dim=1)
    present = torch.arange(longest) < length
    return tokens.masked_fill(~present, PAD), present.long()


def mask_words(tokens, present, share=0.15):
    chosen = (torch.rand(tokens.shape) < share) & present.bool()
    labels = tokens.masked_fill(~chosen, -100)
    return tokens.masked_fill(chosen & (torch.rand(tokens.shape) < 0.8), MASK), labels


torch.manual_seed(0)
config = BertConfig(
    vocab_size=14,
    hidden_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=96,
    max_position_embeddings=16,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
)
model = BertForMaskedLM(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
model.train()
for step in range(300):
    tokens, attention_mask = sentences(48)
    inputs, labels = mask_words(tokens, attention_mask)
    loss = model(input_ids=inputs, attention_mask=attention_mask, labels=labels).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0:
        print(f"step {step}: {loss.item():.4f}")
