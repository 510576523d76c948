"""CLIP of transformers, pictures and captions"""

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

COLOURS, PLACES, END = 6, 4, 15


def captioned(palette):
    """Every colour at every place once, in noise, with a caption of two words."""
    colour = torch.arange(COLOURS).repeat_interleave(PLACES)
    place = torch.arange(PLACES).repeat(COLOURS)
    image = 0.2 * torch.randn(len(colour), 3, 16, 16)
    for i in range(len(colour)):
        row, column = 8 * (place[i] // 2), 8 * (place[i] % 2)
        image[i, :, row : row + 8, column : column + 8] += palette[colour[i], :, None, None]
    text = torch.stack([colour + 1, place + 1 + COLOURS, torch.full_like(colour, END)], dim=1)
    return image, text


torch.manual_seed(0)
layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
text_config = CLIPTextConfig(
    **layers, vocab_size=16, max_position_embeddings=4, eos_token_id=END, bos_token_id=0, pad_token_id=0
)
vision_config = CLIPVisionConfig(**layers, image_size=16, patch_size=8)
config = CLIPConfig(text_config=text_config.to_dict(), vision_config=vision_config.to_dict(), projection_dim=24)
model = CLIPModel(config)
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
palette = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]])
for step in range(200):
    pixel_values, input_ids = captioned(palette)
    loss = model(input_ids=input_ids, pixel_values=pixel_values, return_loss=True).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step}: {loss.item():.4f}, scale {model.logit_scale.exp().item():.2f}")
