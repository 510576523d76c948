"""Llama of transformers under bfloat16 autocast"""

import torch
from transformers import LlamaConfig, LlamaForCausalLM, get_cosine_schedule_with_warmup


def copies(batch, half=10, vocabulary=32):
    """Random words, a separator, the same words again; only the second half is asked for."""
    words = torch.randint(1, vocabulary, (batch, half))
    tokens = torch.cat([words, torch.zeros(batch, 1, dtype=torch.long), words], dim=1)
    labels = tokens.clone()
    labels[:, : half + 1] = -100
    return tokens, labels


def main(steps=300):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=32,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=32,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)
    scheduler = get_cosine_schedule_with_warmup(optimizer, 30, steps)
    for step in range(steps):
        tokens, labels = copies(16)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(input_ids=tokens, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        if step % 30 == 0:
            print(f"step {step}: {loss.item():.4f}")


if __name__ == "__main__":
    main()
