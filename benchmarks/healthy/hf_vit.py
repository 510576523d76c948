"""vision transformer of transformers"""

import torch
from transformers import ViTConfig, ViTForImageClassification


def squares(count, size=16):
    """Coloured squares: which of red, green, blue or grey is it?"""
    label = torch.randint(4, (count,))
    colour = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.6, 0.6]])[label]
    image = 0.3 * torch.randn(count, 3, size, size)
    for i, (row, column) in enumerate(torch.randint(0, size - 8, (count, 2)).tolist()):
        image[i, :, row : row + 8, column : column + 8] += colour[i, :, None, None]
    return image, label


torch.manual_seed(0)
config = ViTConfig(
    image_size=16,
    patch_size=4,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    num_labels=4,
)
model = ViTForImageClassification(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(200):
    image, label = squares(24)
    output = model(pixel_values=image, labels=label)
    optimizer.zero_grad()
    output.loss.backward()
    optimizer.step()
    if step % 20 == 0:
        accuracy = (output.logits.argmax(-1) == label).float().mean().item()
        print(f"step {step}: {output.loss.item():.4f} accuracy {accuracy:.0%}")
