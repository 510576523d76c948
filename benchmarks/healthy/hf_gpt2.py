"""GPT-2 of transformers, random weights"""

import torch
from transformers import GPT2Config, GPT2LMHeadModel, get_linear_schedule_with_warmup


def counting(batch, length, vocabulary):
    """Sequences that go on by a step of their own: 3 7 11 15 … modulo the vocabulary."""
    start = torch.randint(0, vocabulary, (batch, 1))
    by = torch.randint(1, 6, (batch, 1))
    return (start + by * torch.arange(length)) % vocabulary


def main(steps=200):
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=40,
        n_positions=24,
        n_embd=48,
        n_layer=2,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    scheduler = get_linear_schedule_with_warmup(optimizer, 20, steps)
    for step in range(steps):
        tokens = counting(16, 20, config.vocab_size)
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        if step % 20 == 0:
            print(f"step {step}: {loss.item():.4f}")


if __name__ == "__main__":
    main()
