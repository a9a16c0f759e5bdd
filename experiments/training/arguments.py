"""Whether settings fit the arguments of a function: their names, and their types as it declares them."""

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from experiments.checks import finite, shown
from experiments.sentences import sentence

__all__ = ["blamed", "fits", "wrong_arguments"]

WORDS = {NoneType: "null", bool: "true or false", int: "an integer", float: "a number", str: "a text", Path: "a text"}


def wrong_arguments(
    group: str, settings: Mapping[str, Any], function: Callable[..., Any], reserved: Collection[str] = ()
) -> list[str]:
    """Return one sentence for each setting that does not fit, which says why.

    Args:
        group: of the settings, as `data`.
        settings: by name; those that begin with an underscore are Hydra's.
        function: that they are arguments of.
        reserved: arguments that are no settings.

    Example:
        >>> wrong_arguments("data", {"size": "x", "colour": 3}, lambda size=1: None)
        ['there is no setting data.colour; there are data.size']
    """
    parameters = inspect.signature(function).parameters
    takes_any = any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values())
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    allowed = [name for name, p in parameters.items() if p.kind in kinds and name not in reserved]
    try:
        hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    except (NameError, TypeError):
        hints = {}
    wrong = []
    for name, value in settings.items():
        hint = hints.get(name, Any)
        if name.startswith("_"):
            continue
        if name not in allowed and (name in reserved or not takes_any):
            there = ", ".join(f"{group}.{name}" for name in allowed) or "none"
            wrong.append(f"there is no setting {group}.{name}; there are {there}")
        elif not fits(value, hint):
            wrong.append(f"{group}.{name} must be {_words(hint)}, got {shown(value)}")
    return wrong


def fits(value: object, hint: Any) -> bool:
    """Whether a value of a configuration is of a type: true is no integer, and nan no number.

    Example:
        >>> fits(2, float), fits(True, int), fits([1, "a"], list[int]), fits(None, int | None)
        (True, False, False, True)
    """
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return any(value == part and type(value) is type(part) for part in parts)
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and finite(value)
    if hint is int:
        # Neither torch nor NumPy has larger ones.
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    if hint in (str, Path):
        return isinstance(value, str) and bool(value.strip()) and value.isprintable()
    if origin is tuple and Ellipsis not in parts:
        return _is_list(value) and len(value) == len(parts) and all(map(fits, value, parts))
    if (inspect.isclass(origin) and issubclass(list, origin)) or origin is tuple:
        return _is_list(value) and all(fits(item, parts[0]) for item in value)
    kind = origin or hint
    return isinstance(value, kind) if inspect.isclass(kind) else True


def blamed(group: str, settings: Mapping[str, Any], error: Exception) -> str:
    """Return what an error says, after the settings that it mentions by name or value, or after all of the group.

    Example:
        >>> blamed("optimizer", {"lr": -1, "momentum": 0.9}, ValueError("Invalid lr value: -1"))
        'optimizer.lr=-1: Invalid lr value: -1'
        >>> blamed("optimizer", {"_target_": "torch.optim.SGD", "lr": -1}, ValueError("Invalid value: -1"))
        'optimizer.lr=-1: Invalid value: -1'
    """
    why = sentence(error)
    own = {name: v for name, v in settings.items() if not name.startswith("_")}
    named = {name: v for name, v in own.items() if _in(name, why) or (len(str(v)) > 1 and _in(v, why))}
    # Of many settings, none of which is named, the group says enough.
    told = [f"{group}.{name}={value}" for name, value in (named or own).items()] if named or len(own) < 6 else []
    return f"{', '.join(told) or group}: {why}"


def _in(word: object, text: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(str(word))}(?![\w.])", text) is not None


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _words(hint: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_words(part) for part in parts if _words(part)))
    if origin is Literal:
        return ", ".join(map(str, parts))
    if hint in WORDS:
        return WORDS[hint]
    is_list = (inspect.isclass(origin) and issubclass(list, origin)) or origin is tuple
    return "a list" if is_list else getattr(origin or hint, "__name__", str(hint))
