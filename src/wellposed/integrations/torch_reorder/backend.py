"""The backend of ``torch.compile``: the pass on the joint graph of forward and backward, then a compiler."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.fx import Graph, GraphModule

from wellposed import chain
from wellposed.integrations.torch_reorder.explaining import Report
from wellposed.integrations.torch_reorder.rewriting import reorder_graph

log = logging.getLogger("wellposed.torch")

COMPILERS = ("inductor", "aot_eager")


class Reordering:
    """A backend for ``torch.compile``, one that remembers what it did.

    `compiler` is what compiles the graphs afterwards: ``"inductor"``, or ``"aot_eager"``, which runs them operator by
    operator. `explain` prints the report of every graph on stderr when it is compiled, and compiles it though inductor
    may have it in its cache on disk; the logger ``wellposed.torch`` has the reports at level INFO in any case.
    `half_precision` includes products of float16 and bfloat16: their intermediates may overflow, or no longer overflow,
    in another order.

    Raises ValueError for a compiler that there is not.
    """

    def __init__(self, compiler: str = "inductor", *, explain: bool = False, half_precision: bool = False) -> None:
        if compiler not in COMPILERS:
            raise ValueError(f"the compiler is {compiler!r}, but there are {', '.join(COMPILERS)}")
        self.compiler, self.explain, self.half_precision = compiler, explain, half_precision
        self.reports: list[Report] = []
        """One for each graph that was compiled; without `explain`, none for those from inductor's cache on disk."""
        self.__name__ = "wellposed"

    def __call__(
        self,
        module: GraphModule,
        inputs: list[torch.Tensor],
        mode: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Callable[..., Any]:
        if self.compiler == "aot_eager":
            return _eager(self, module, inputs)
        return _inductor(self, module, inputs, mode, dict(options or {}))

    def rewrite(self, graph: Graph) -> None:
        """The pass itself, in place. A failure of ours is logged, and leaves the graph to compute what it did."""
        try:
            report = reorder_graph(graph, half_precision=self.half_precision)
        except Exception:
            log.warning("a graph is compiled as it was written: its products could not be planned", exc_info=True)
            return
        self.reports.append(report)
        log.info("%s", report)
        if self.explain:
            print(report, file=sys.stderr)


def _inductor(
    backend: Reordering, module: GraphModule, inputs: list[torch.Tensor], mode: str | None, options: dict[str, Any]
) -> Callable[..., Any]:
    from torch._inductor import config, list_mode_options
    from torch._inductor.compile_fx import compile_fx

    patches = {**(list_mode_options(mode) if mode else {}), **options}
    others = config.joint_custom_pre_pass
    passes = [*(others if isinstance(others, (list, tuple)) else [others] if others is not None else [])]
    patches["joint_custom_pre_pass"] = [*passes, _graph_pass(backend)]
    compiled: Any = compile_fx(module, inputs, config_patches=patches)
    return compiled  # type: ignore[no-any-return]


def _graph_pass(backend: Reordering) -> Any:
    from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

    class ReorderProducts(CustomGraphPass):
        def __call__(self, graph: Graph) -> None:
            backend.rewrite(graph)

        def uuid(self) -> Any:
            # Compiled graphs are cached on disk under this, and a graph from there is not explained: so nothing is
            # cached where that is asked for.
            if backend.explain:
                return None
            rooms = (Path(__file__).parent, Path(chain.__file__).parent)
            files = tuple(str(file) for room in rooms for file in sorted(room.glob("*.py")))
            return get_hash_for_files(files, str(backend.half_precision))

    return ReorderProducts()


def _eager(backend: Reordering, module: GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch._aot_autograd.utils import make_boxed_func
    from torch._functorch.partitioners import min_cut_rematerialization_partition

    def run(graph: GraphModule, _: Any) -> Callable[..., Any]:
        return make_boxed_func(graph.forward)

    def run_rewritten(graph: GraphModule, _: Any) -> Callable[..., Any]:
        backend.rewrite(graph.graph)
        graph.recompile()
        return make_boxed_func(graph.forward)

    def partition(joint: GraphModule, *given: Any, **named: Any) -> Any:
        backend.rewrite(joint.graph)
        joint.recompile()
        return min_cut_rematerialization_partition(joint, *given, **named)

    compile_joint = aot_autograd(
        fw_compiler=run, bw_compiler=run, inference_compiler=run_rewritten, partition_fn=partition
    )
    return compile_joint(module, inputs)


def wellposed(module: GraphModule, inputs: list[torch.Tensor], **given: Any) -> Callable[..., Any]:
    """What ``torch.compile(model, backend="wellposed")`` calls: reordered, then compiled by inductor."""
    return Reordering()(module, inputs, **given)


def reorder(
    model: Callable[..., Any],
    *,
    compiler: str = "inductor",
    explain: bool = False,
    half_precision: bool = False,
    **options: Any,
) -> Any:
    """``torch.compile`` with the products of `model`, a module or a function, in their cheapest order.

    `model` may be compiled already, ``reorder(torch.compile(model))``, with the default settings; it is then compiled
    anew. `compiler`, `explain` and `half_precision` are those of `Reordering`; `options` go to ``torch.compile``
    (``dynamic``, ``fullgraph``, ``mode``, ``options``). `reports` tells what was rewritten.

    Raises ValueError for a compiler that there is not.
    """
    backend = Reordering(compiler, explain=explain, half_precision=half_precision)
    # What torch.compile made of a module or of a function remembers the original.
    original = getattr(model, "_orig_mod", None) or getattr(model, "_torchdynamo_orig_callable", None) or model
    compiled = torch.compile(original, backend=backend, **options)
    # Past Module.__setattr__, which would write into the user's model.
    object.__setattr__(compiled, _REMEMBERED, backend)
    return compiled


_REMEMBERED = "_wellposed_backend"


def reports(compiled: Callable[..., Any]) -> list[Report]:
    """What `reorder` did to each graph of `compiled` so far; graphs are compiled when they are first called.

    Raises TypeError for what `reorder` has not made.
    """
    backend = getattr(compiled, "__dict__", {}).get(_REMEMBERED)
    if not isinstance(backend, Reordering):
        raise TypeError("reports are there for what wellposed.torch.reorder made")
    return list(backend.reports)
