"""Count the operators that a function calls: on a GPU each of them is a launch, or several."""

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["counted"]

Result = TypeVar("Result")
# These only reserve memory, or say again what a tensor is.
FREE = {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view"}
# To its schema a view; but a constant is made from Python's numbers, which a GPU gets by a copy.
COPIES = {"lift_fresh"}


class _Counter(TorchDispatchMode):
    """Counts what computes or copies, below autograd, where torch calls a kernel for each."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        namespace, _, name = func._schema.name.partition("::")
        if namespace != "aten":
            self.calls[func._schema.name] += 1
        elif name == "convolution_backward":
            # One for each gradient that is asked for: of the image, the kernel, the bias.
            self.calls[name] += sum(args[-1])
        elif name in COPIES or not (func.is_view or name in FREE):
            self.calls[name] += 1
        return func(*args, **(kwargs or {}))


def counted(function: Callable[[], Result]) -> tuple[Counter[str], Result]:
    """Call a function, and count the operators that it calls by their names.

    Operators that compute or copy count one each, those of other libraries and of this one too. Views and empty
    tensors are free. `convolution_backward` counts one for each gradient that it computes.

    Args:
        function: called once.

    Returns:
        How often each operator was called, and what the function returned.

    Example:
        >>> line = torch.ones(4)
        >>> calls, _ = counted(lambda: line[1:].mul(2).add_(1))
        >>> dict(calls)
        {'mul': 1, 'add_': 1}

    """
    # The library asks for modes such as this one, under which a tensor may be another than it seems, and then leaves
    # its faster ways. What it does without them is to be counted, and this mode changes no tensor.
    with mock.patch.object(torch._C, "_len_torch_dispatch_stack", return_value=0), _Counter() as counter:
        result = function()
    return counter.calls, result
