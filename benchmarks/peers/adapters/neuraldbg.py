"""NeuralDBG (the free core): health of gradients, activations, inputs and loss, as transitions between states."""

from __future__ import annotations

from typing import Any

from benchmarks.peers.messages import Message
from benchmarks.peers.watching import Watch

NAME = "neuraldbg"
DISTRIBUTION = "neuraldbg"
HOW = (
    "`NeuralDbg(model).__enter__()` before the first forward pass of each model, `record_loss(loss.item())` after each "
    "backward pass, `step_iteration()` after each optimizer step; at the end the first failure of each type, and where."
)

CAUSES = {
    "gradient_vanishing": ("vanishing-gradient",),
    "gradient_saturated": ("vanishing-gradient", "saturation"),
    "gradient_exploding": ("exploding-gradient",),
    "activation_saturated": ("saturation",),
    "activation_dead": ("dead-relu",),
    "optimizer_loss_spike": ("learning-rate",),
    "optimizer_diverging": ("learning-rate",),
    "data_nan_detected": ("bad-data",),
    "data_inf_detected": ("bad-data",),
    "data_distribution_shift": ("bad-data",),
}
"""Its first-failure keys; a plateau of the loss is a symptom only."""


def install(watch: Watch):
    from neuraldbg import NeuralDbg
    from torch.optim.optimizer import register_optimizer_step_post_hook

    debuggers: dict[int, tuple[Any, Any]] = {}
    with_optimizer: set[int] = set()

    def put_on(model: Any, optimizer: Any) -> None:
        if id(model) not in debuggers:
            debuggers[id(model)] = (model, NeuralDbg(model).__enter__())
        if optimizer is not None:
            with_optimizer.add(id(model))

    def on_loss(loss: float) -> None:
        for key, (_, debugger) in debuggers.items():
            debugger.record_loss(loss)
            if key not in with_optimizer:
                debugger.step_iteration()

    def on_step(*_: Any) -> None:
        for key in with_optimizer:
            debuggers[key][1].step_iteration()

    watch.on_model(put_on)
    watch.on_loss(on_loss)
    register_optimizer_step_post_hook(on_step)

    def collect(ended: BaseException | None, printed: str) -> tuple[list[Message], bool]:
        said = []
        for model, debugger in debuggers.values():
            debugger.__exit__(None, None, None)
            said += messages(model, debugger, watch)
        return said, bool(debuggers)

    return collect


def messages(model: Any, debugger: Any, watch: Watch) -> list[Message]:
    names = {f"{type(module).__name__}_{name}" if name else "root": name for name, module in model.named_modules()}
    said = []
    for key, layer in debugger.first_failure_layer.items():
        name = names.get(layer)
        text = f"first {key}: {layer}, step {debugger.first_failure_step[key]}"
        said.append(Message(key, text, module=name, module_lines=watch.lines_of(name)))
    return said
