"""Mamba of transformers, state space model"""

import torch
from transformers import MambaConfig, MambaForCausalLM


def brackets(batch, length=16):
    """Random walks between 0 and 5, told as the steps up (1), down (2) and the level after each (3 to 8)."""
    level = torch.zeros(batch, dtype=torch.long)
    tokens = []
    for _ in range(length // 2):
        up = torch.where(level == 0, True, torch.where(level == 5, False, torch.rand(batch) < 0.5))
        level = torch.where(up, level + 1, level - 1)
        tokens += [torch.where(up, 1, 2), level + 3]
    return torch.stack(tokens, dim=1)


torch.manual_seed(0)
config = MambaConfig(
    vocab_size=10,
    hidden_size=32,
    state_size=8,
    num_hidden_layers=2,
    pad_token_id=0,
    bos_token_id=0,
    eos_token_id=0,
    use_cache=False,
)
model = MambaForCausalLM(config)
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for step in range(200):
    tokens = brackets(16)
    loss = model(input_ids=tokens, labels=tokens).loss
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step}: {loss.item():.4f}")
