"""`DoubleDouble`: the protocol of `shadow/reference.py` on pairs of float64 tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from wellposed.shadow.double_double import (  # noqa: F401  (each registers its forms)
    activations,
    attention,
    collective,
    comparisons,
    convolutions,
    creation,
    elementwise,
    matrices,
    windows,
)
from wellposed.shadow.double_double.arithmetic import Pair, add, exactly
from wellposed.shadow.double_double.creation import CONSTANTS
from wellposed.shadow.double_double.decomposition import decomposed
from wellposed.shadow.double_double.moving import MOVES, QUESTIONS, TRUTHS, asked, leaves, moved, replaced
from wellposed.shadow.double_double.registry import FORMS
from wellposed.shadow.double_double.rounding import rounded

_CASTS = {"_to_copy", "to", "type_as", "convert_element_type"}


class DoubleDouble:
    """Shadows are `Pair`s. Results are good to 31 digits, as each form's file says; nothing is drawn or recorded."""

    name = "double-double"
    digits = 31.0

    def lift(self, value: Any) -> Pair:
        """A copy of a tensor of floating-point or integer dtype, exactly, in its memory layout.

        Raises NotImplementedError for complex and for sparse tensors.
        """
        if not isinstance(value, Tensor) or value.is_complex() or value.layout != torch.strided:
            raise NotImplementedError("only dense, real tensors have a double-double form")
        with _undisturbed():
            return exactly(value, value)

    def apply(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`operator`, an `OpOverload`, on pairs. In-place and out= operators return what they would have written.

        Raises NotImplementedError where the operator is random or has neither a form nor a decomposition.
        """
        schema = getattr(operator, "_schema", None)
        if schema is None:
            raise NotImplementedError(f"{operator} is not an operator of PyTorch")
        if torch.Tag.nondeterministic_seeded in operator.tags and not _without_dropout(schema, args, kwargs):
            raise NotImplementedError(f"{operator} draws random numbers")
        if any(isinstance(each, Tensor) and each.is_complex() for each in leaves((args, kwargs))):
            raise NotImplementedError("complex numbers have no double-double form")
        with _undisturbed():
            args, kwargs = _by_schema(schema, args, kwargs)
            return self._apply(operator, args, kwargs)

    def _apply(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        namespace, name = operator._schema.name.split("::")
        if namespace not in ("aten", "prims"):
            raise NotImplementedError(f"{operator} is not one of PyTorch's own operators")
        if operator._schema.is_mutable and not (operator := _functional(operator, name)):
            raise NotImplementedError(f"{name} has no form that leaves its arguments as they are")
        name = operator._schema.name.split("::")[1]
        given = leaves((args, kwargs))
        if any(isinstance(each, Tensor) and each.is_floating_point() for each in given):
            args, kwargs = replaced((args, kwargs), _lifted)
        elif not any(isinstance(each, Pair) for each in given):
            return _of_integers(operator, name, args, kwargs)
        if name.startswith("_foreach_"):
            return _one_by_one(name, operator._overloadname, args, kwargs)
        if name in FORMS and not _differs(operator, name):
            return FORMS[name](*args, **kwargs)
        if name in MOVES and "reduce" not in operator._overloadname:
            return moved(operator, args, kwargs)
        if name in QUESTIONS or name in TRUTHS:
            return asked(operator, args, kwargs)
        return decomposed(operator, args, kwargs, self.apply)

    def rounded(self, shadow: Pair, like: Any) -> Tensor:
        """The nearest tensor of the dtype of `like`, rounded once, ties to even."""
        with _undisturbed():
            return rounded(shadow, like if isinstance(like, torch.dtype) else like.dtype)

    def distance(self, value: Any, shadow: Pair) -> Tensor:
        """value − shadow, each difference good to 2^-52; 0 where both are the same infinity."""
        with _undisturbed():
            x = exactly(value, shadow.high)
            difference = add(x, -shadow).high
            return torch.where(torch.isinf(x.high) & (x.high == shadow.high), 0.0, difference)

    def approximate(self, shadow: Pair) -> Tensor:
        """The nearest float64 tensor: the shadow's own memory, not to be written."""
        return shadow.high

    def write(self, shadow: Pair, view: Callable[[Tensor], Tensor], part: Pair) -> None:
        """Copies `part`, which may overlap the shadow, to where `view` of the shadow points."""
        with _undisturbed():
            high, low = part.high, part.low
            # The part may be a view of what is written to.
            if high.untyped_storage().data_ptr() == shadow.high.untyped_storage().data_ptr():
                high, low = high.clone(), low.clone()
            view(shadow.high).copy_(high)
            view(shadow.low).copy_(low)


class _undisturbed:
    """No gradients are recorded, and no function mode of the program sees what is done here."""

    def __enter__(self) -> None:
        self._functions = torch._C.DisableTorchFunction()
        self._gradients = torch.no_grad()
        self._functions.__enter__()
        self._gradients.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._gradients.__exit__(*error)
        self._functions.__exit__(*error)


def _by_schema(schema: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments by position where the schema has a position for them; what is only to be written to is left out."""
    written = {each.name for each in schema.arguments if each.is_out}
    kwargs = {name: value for name, value in kwargs.items() if name not in written}
    positional = [each for each in schema.arguments if not each.kwarg_only]
    given = list(args)
    for each in positional[len(args) :]:
        if each.name in kwargs:
            given.append(kwargs.pop(each.name))
        elif any(later.name in kwargs for later in positional):
            given.append(each.default_value)
        else:
            break
    return tuple(given), kwargs


def _without_dropout(schema: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operator that draws random numbers for its dropout alone has none of it."""
    for place, each in enumerate(schema.arguments):
        if each.name == "dropout_p":
            given = args[place] if place < len(args) else kwargs.get("dropout_p", each.default_value)
            return bool(given == 0)
    return False


def _functional(operator: Any, name: str) -> Any:
    """The operator that returns what this one writes; None where PyTorch has none."""
    packet = getattr(torch.ops.aten, name[:-1] if name.endswith("_") else name, None)
    overload = operator._overloadname
    if not name.endswith("_"):
        overload = overload.removesuffix("out").removesuffix("_") or "default"
    return getattr(packet, overload, None) if packet else None


def _lifted(value: Any) -> Any:
    return exactly(value, value) if isinstance(value, Tensor) and value.is_floating_point() else value


def _of_integers(operator: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An operator without a shadow among its arguments: a constant, or integers on their way to a real number."""
    if any(isinstance(each, Tensor) for each in leaves((args, kwargs))):
        result = operator(*args, **kwargs)
        floats = [each for each in leaves(result) if isinstance(each, Tensor) and each.is_floating_point()]
        if floats and name in FORMS:
            return FORMS[name](*replaced(args, _whole), **kwargs)
        if floats and name not in CONSTANTS:
            raise NotImplementedError(f"{operator} of integers has no double-double form")
        return replaced(result, _lifted)
    if name not in CONSTANTS:
        raise NotImplementedError(f"{operator} has no value that float64 holds")
    dtype = kwargs.get("dtype")
    if dtype is None:
        dtype = operator(*args, **kwargs).dtype
    wide = torch.float64 if dtype.is_floating_point else dtype
    return _lifted(operator(*args, **{**kwargs, "dtype": wide}))


def _whole(value: Any) -> Any:
    return exactly(value, value) if isinstance(value, Tensor) and value.dtype != torch.bool else value


def _differs(operator: Any, name: str) -> bool:
    """Overloads whose arguments mean something else than those of the form."""
    overload = operator._overloadname
    return overload in ("dimname", "names_dim", "Dimname") or (name == "scatter_add" and overload != "default")


_WITH_VALUE = {"addcmul", "addcdiv"}


def _one_by_one(name: str, overload: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    """A foreach operator: lists are taken element by element, other arguments as they are."""
    base = name.removeprefix("_foreach_")
    if base not in FORMS:
        raise NotImplementedError(f"{name} has no double-double form")
    results = []
    for place in range(len(args[0])):
        given = [_element(each, place) for each in args]
        named = {key: _element(each, place) for key, each in kwargs.items()}
        if base in _WITH_VALUE and len(given) > 3:
            named["value"] = given.pop()
            if overload == "Tensor":
                named["value"] = Pair(named["value"].high[place], named["value"].low[place])
        results.append(FORMS[base](*given, **named))
    return results


def _element(value: Any, place: int) -> Any:
    return value[place] if isinstance(value, list | tuple) else value
