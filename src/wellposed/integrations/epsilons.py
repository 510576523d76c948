"""``wellposed.epsilons``: every epsilon of a model, with quantiles of what each protects, taken as the model runs."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, overload

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from wellposed.advice import Epsilon, epsilons_in
from wellposed.advice.by_hand import GUARDS
from wellposed.advice.layers import LAYERS, Measurement
from wellposed.integrations.pytorch import audited
from wellposed.record import Record, operator_base

_POINTS = 513
"""Order statistics that are kept: shares are known to 0.2 %."""
_MOST_ELEMENTS = 1 << 20
"""Of a larger tensor so many evenly spaced elements are looked at."""
_current_node: Callable[[], Any] = getattr(torch._C, "_current_autograd_node", lambda: None)


class EpsilonReport(Sequence[Epsilon]):
    """The epsilons of a model, a sequence of `Epsilon`; as text, a table."""

    def __init__(self, epsilons: Sequence[Epsilon]):
        self._epsilons = tuple(epsilons)

    @overload
    def __getitem__(self, index: int) -> Epsilon: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Epsilon]: ...
    def __getitem__(self, index: int | slice) -> Epsilon | Sequence[Epsilon]:
        return self._epsilons[index]

    def __len__(self) -> int:
        return len(self._epsilons)

    @property
    def unsound(self) -> tuple[Epsilon, ...]:
        """Those with another verdict than "sound"."""
        return tuple(each for each in self._epsilons if not each.sound)

    def __str__(self) -> str:
        from wellposed.report.epsilons import table_text

        return table_text(self._epsilons)

    def __repr__(self) -> str:
        return f"<EpsilonReport: {len(self)} epsilons, {len(self) - len(self.unsound)} sound>"


def epsilons(
    model: torch.nn.Module,
    batch: Any,
    loss_fn: Callable[..., torch.Tensor] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> EpsilonReport:
    """Judge every epsilon in one forward and backward pass on `batch`: of layers, functions, formulas, the optimizer.

    The arguments are those of `wellposed.audit`. Where neither the model nor `loss_fn` gives a scalar loss, only the
    forward pass is judged; the epsilon of an optimizer is judged against the gradients of this pass.

    The model is left as it was: gradients, buffers (running statistics) and the random state are put back, the
    optimizer makes no step. Results are those of the model alone, to the last bit.
    """
    measuring = _Measuring()
    with tempfile.TemporaryDirectory(prefix="wellposed-") as folder:
        watched = audited(
            model,
            batch,
            loss_fn,
            optimizer,
            path=Path(folder) / "epsilons.wellposed",
            during_forward=measuring,
            needs_loss=False,
        )
        with watched.record as record:
            return EpsilonReport(epsilons_in(record, measuring.by_operation(record)))


class _Measuring(TorchDispatchMode):
    """Looks at what an epsilon is about to be added to, before the operator runs (it may be in place)."""

    def __init__(self) -> None:
        super().__init__()
        self._met: Counter[str] = Counter()
        self._found: dict[tuple[str, int], tuple[tuple[int, ...], Measurement]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else PyTorch wraps our method, and its wrapper stands between the recorder and the line it looks for.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = str(func)
        base = operator_base(name)
        # A gradient that is taken inside the model is no forward pass.
        if (base in GUARDS or base in LAYERS) and _current_node() is None:
            position = self._met[name]
            self._met[name] += 1
            if base in LAYERS or _has_small_bound(args, kwargs or {}):
                with _disable_current_modes(), torch.no_grad():
                    measured = _measure(base, args, kwargs or {})
                if measured is not None:
                    self._found[name, position] = (tuple(args[0].shape), measured)
        return func(*args, **(kwargs or {}))

    def by_operation(self, record: Record) -> dict[int, Measurement]:
        """What was measured, by the id of the operation in the record: the n-th call of an operator here is the n-th
        there."""
        met: Counter[str] = Counter()
        placed: dict[int, Measurement] = {}
        for operation in record.operations(*GUARDS, *LAYERS, phase="forward"):
            found = self._found.get((operation.operator, met[operation.operator]))
            met[operation.operator] += 1
            if found is None or not operation.inputs:
                continue
            if operation.inputs[0].shape != found[0]:
                return {}  # What is not certain is not told; the record's own statistics remain.
            placed[operation.id] = found[1]
        return placed


def _has_small_bound(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a number, or a tensor that holds one, is added or clamped to."""
    others = [*args[1:], *kwargs.values()]
    return any(isinstance(each, float) or (isinstance(each, torch.Tensor) and each.dim() == 0) for each in others)


def _measure(base: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Measurement | None:
    values = args[0] if args and isinstance(args[0], torch.Tensor) else None
    if values is None or not values.is_floating_point() or values.is_meta or not values.numel():
        return None
    values = values.detach()
    if base in LAYERS:
        protected = _variances(base, values, args)
        if protected is None:
            return None
    else:
        flat = values.reshape(-1)
        protected = flat[:: -(-flat.numel() // _MOST_ELEMENTS)]
    wide = protected if protected.device.type == "mps" else protected.double()
    finite = wide[torch.isfinite(wide)]
    if not finite.numel():
        return None
    ordered = finite.abs().reshape(-1).sort().values
    spots = torch.linspace(0, len(ordered) - 1, min(_POINTS, len(ordered)), device=ordered.device).round().long()
    zero, negative = (finite == 0).sum(), (finite < 0).any()
    return tuple(ordered[spots].tolist()), int(finite.numel()), int(zero), bool(negative)


def _variances(base: str, values: torch.Tensor, args: tuple[Any, ...]) -> torch.Tensor | None:
    """What the layer adds its epsilon to, one element for each mean that it subtracts."""
    if values.device.type != "mps" and values.numel() <= 4 * _MOST_ELEMENTS:
        values = values.double()
    elif values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    if base == "native_layer_norm":
        return values.flatten(values.dim() - len(args[1])).var(-1, correction=0)
    if base == "_fused_rms_norm":
        return values.flatten(values.dim() - len(args[1])).square().mean(-1)
    if base == "native_group_norm":
        count, groups = args[3], args[6]
        return values.reshape(count, groups, -1).var(-1, correction=0)
    training = args[5] if base in ("native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm") else None
    if training is None or values.dim() < 2:
        return None
    return values.transpose(0, 1).flatten(1).var(-1, correction=0) if training else args[4]
