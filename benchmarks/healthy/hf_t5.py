"""T5 of transformers, sequence to sequence"""

import torch
from transformers import T5Config, T5ForConditionalGeneration

WORDS = 16


def successors(count, length=8):
    """The answer names the successor of every word."""
    words = torch.randint(2, WORDS, (count, length))
    return words, torch.where(words == WORDS - 1, 2, words + 1)


def main():
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=WORDS,
            d_model=48,
            d_kv=12,
            d_ff=96,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            decoder_start_token_id=0,
            pad_token_id=0,
            eos_token_id=1,
        )
    )
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(300):
        source, target = successors(32)
        loss = model(input_ids=source, attention_mask=torch.ones_like(source), labels=target).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 30 == 0:
            print(f"step {step}: {loss.item():.4f}")


if __name__ == "__main__":
    main()
