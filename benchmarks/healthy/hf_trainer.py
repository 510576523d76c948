"""Hugging Face Trainer with DistilBERT"""

import tempfile

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification, Trainer, TrainingArguments, set_seed


class Reviews(torch.utils.data.Dataset):
    """Words 3 to 9 are kind, 10 to 16 unkind, the rest neither; the kinder part wins."""

    def __init__(self, count, length=12):
        words = torch.randint(3, 32, (count, length))
        opinion = ((words < 10).long() - ((words >= 10) & (words < 17)).long()).sum(dim=1)
        keep = opinion != 0
        self.words, self.labels = words[keep], (opinion[keep] > 0).long()

    def __len__(self):
        return len(self.words)

    def __getitem__(self, index):
        words = self.words[index]
        return {"input_ids": words, "attention_mask": torch.ones_like(words), "labels": self.labels[index]}


def main():
    set_seed(0)
    config = DistilBertConfig(vocab_size=32, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=16)
    model = DistilBertForSequenceClassification(config)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=250,
            per_device_train_batch_size=32,
            learning_rate=2e-3,
            warmup_steps=25,
            lr_scheduler_type="cosine",
            logging_steps=25,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = Trainer(model=model, args=arguments, train_dataset=Reviews(4000), eval_dataset=Reviews(400))
        trainer.train()
        print(trainer.evaluate()["eval_loss"])


if __name__ == "__main__":
    main()
