"""The dispatch mode that sees every operator. This is the hot path: each line here costs the user's program time."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from wellposed import _native
from wellposed.capture.modules import Modules
from wellposed.capture.sites import Sites, UserFrame

if TYPE_CHECKING:
    from wellposed.capture.shadowing import Shadowing

FORWARD, BACKWARD, OPTIMIZER = range(3)

# Private names of PyTorch, looked up once: without them backward operators go by the line that called backward().
_current_node: Callable[[], Any] = getattr(torch._C, "_current_autograd_node", lambda: None)
next_sequence: Callable[[], int] = getattr(torch.autograd, "_get_sequence_nr", lambda: 0)


class Recorder(TorchDispatchMode):
    """Runs each operator as it is and puts what happened on the tape."""

    def __init__(
        self,
        tape: _native.Tape,
        sites: Sites,
        modules: Modules,
        on_failure: Callable[[BaseException], None],
    ):
        super().__init__()
        self.tape = tape
        self.sites = sites
        self.modules = modules
        self.paused = False
        """True while our own work runs: its operators are none of the program's."""
        self.muted = False
        """True while the program is not to be watched, yet the mode cannot be left."""
        self.hear: Callable[[Any, tuple[Any, ...], Any], None] | None = None
        """Called with the operators of the forward pass, where somebody listens."""
        self.on_result: Callable[[int, Any, tuple[Any, ...], dict[str, Any], Any], None] | None = None
        """Called with an operation's number on the tape, and the operator with its arguments and result."""
        self.only_hears = False
        """True in a step whose operators are not put on the tape."""
        self.awaiting_forward = False
        """Whether `on_forward_again` is to be called at the next operator outside backward that needs gradients."""
        self.on_forward_again: Callable[[], None] = lambda: None
        self.updated: frozenset[int] = frozenset()
        """Addresses of the weights and gradients of a program without optimizer: what reads or writes them outside
        autograd is its update, also where gradients are enabled (``w.data -= lr * w.grad``)."""
        self.on_leaf: Callable[[torch.Tensor], None] | None = None
        """Called with each tensor that an operator reads and that a gradient may be asked for, while wanted."""
        self.shadow: Shadowing | None = None
        """Runs operators beside themselves in higher precision, in the steps that it chooses."""
        self.phase = FORWARD
        """Of operators outside backward: forward or optimizer."""
        self.backward_called_at: UserFrame | None = None
        self.spent_nanoseconds = 0
        self.operators = 0
        self.rows_wanted = 4_000
        self.on_rows: Callable[[], None] = lambda: None
        self.on_trouble: Callable[[int, Any, tuple[Any, ...], dict[str, Any], Any], None] = lambda *_: None
        """Called with what the tape complains of, and the operator with its arguments and result."""
        self._on_failure = on_failure

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else PyTorch wraps our method to hide it from the compiler, which imports the compiler (over a second) and
        # costs microseconds a call. Nothing is compiled while we record.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self.paused or self.muted:
            return func(*args, **kwargs) if kwargs else func(*args)
        token = self._shadow_before(func, args, kwargs) if self.shadow is not None and self.shadow.active else None
        begin = perf_counter_ns()
        out = func(*args, **kwargs) if kwargs else func(*args)
        done = perf_counter_ns()
        self.paused = True
        try:
            self.operators += 1
            node = _current_node()
            if node is None and self.hear is not None:
                self.hear(func, args, out)
            if self.only_hears:
                return out
            if node is None:
                # The optimizer may call back into the model (LBFGS): what needs gradients is forward again.
                again = torch.is_grad_enabled() and not (self.awaiting_forward and self._updates(func, args))
                if self.awaiting_forward and again:
                    self.on_forward_again()
                phase = FORWARD if again else self.phase
                if self.on_leaf is not None and again:
                    self._tell_leaves(args)
                trouble = self.tape.record(
                    func, args, kwargs, out, self.sites.here(), self.modules.current, phase, (done - begin) * 1e-9,
                    -1, next_sequence() - 1,
                )  # fmt: skip
            else:
                # Backward operators run below the line that called backward(); what counts is the line of their
                # forward. A deeper line of the user's is a custom backward or a checkpoint's recomputation. With
                # create_graph, or under a checkpoint, backward operators make nodes of their own.
                site = self.sites.here(self.backward_called_at)
                trouble = self.tape.record(
                    func, args, kwargs, out, site, -1 if site < 0 else self.modules.current, BACKWARD,
                    (done - begin) * 1e-9, node._sequence_nr(), next_sequence() - 1 if torch.is_grad_enabled() else -1,
                )  # fmt: skip
            if token is not None and self.shadow is not None:
                self.shadow.after(token, out)
            if self.on_result is not None:
                self.on_result(self.tape.last, func, args, kwargs or {}, out)
            if trouble:
                self.on_trouble(trouble, func, args, kwargs or {}, out)
            if self.tape.pending > self.rows_wanted:
                self.on_rows()
        except Exception as error:
            self._on_failure(error)
        finally:
            self.paused = False
            self.spent_nanoseconds += perf_counter_ns() - done
        return out

    def _shadow_before(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
        assert self.shadow is not None
        begin = perf_counter_ns()
        self.paused = True
        try:
            phase = "optimizer" if self.phase == OPTIMIZER else "forward"
            return self.shadow.before(func, args, kwargs, phase, self.backward_called_at)
        finally:
            self.paused = False
            self.spent_nanoseconds += perf_counter_ns() - begin

    def _updates(self, func: Any, args: tuple[Any, ...]) -> bool:
        """Whether the operator works on a weight's memory or its gradient, and autograd is not to know."""
        if not self.updated:
            return False
        asked = func is torch.ops.aten.detach.default  # ``w.data``, of a weight that requires a gradient
        tensors = [each for each in args if type(each) in (torch.Tensor, torch.nn.Parameter)]
        if not asked and any(each.requires_grad for each in tensors):
            return False  # also where a gradient's memory, freed since, was given to another tensor
        return any(address_of(each) in self.updated for each in tensors)

    def _tell_leaves(self, args: tuple[Any, ...]) -> None:
        for each in args:
            if isinstance(each, torch.Tensor) and each.requires_grad and each.is_leaf and self.on_leaf is not None:
                self.on_leaf(each)


def address_of(tensor: torch.Tensor) -> int:
    """0 for a tensor without memory of its own."""
    try:
        return tensor.data_ptr()
    except RuntimeError:
        return 0
