"""Whisper of transformers, a tiny configuration"""

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

FRAMES, BANDS, START, PAD, FIRST = 40, 16, 1, 0, 2


def melodies(count, notes=5):
    """Spectrograms of five notes in a row; the text names them."""
    pitch = torch.randint(BANDS // 2, (count, notes))
    picture = 0.1 * torch.randn(count, BANDS, FRAMES)
    band = torch.arange(BANDS).view(1, -1, 1)
    heard = pitch.repeat_interleave(FRAMES // notes, dim=1)[:, None, :]
    picture = picture + torch.exp(-((band - 2 * heard) ** 2) / 2.0)
    return picture - picture.mean(dim=(1, 2), keepdim=True), pitch + FIRST


def main():
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=FIRST + BANDS // 2,
        num_mel_bins=BANDS,
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_source_positions=FRAMES // 2,
        max_target_positions=8,
        pad_token_id=PAD,
        bos_token_id=START,
        eos_token_id=START,
        decoder_start_token_id=START,
    )
    model = WhisperForConditionalGeneration(config)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    for step in range(300):
        features, labels = melodies(24)
        loss = model(input_features=features, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 30 == 0:
            print(f"step {step}: {loss.item():.4f}")


if __name__ == "__main__":
    main()
