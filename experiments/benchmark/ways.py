"""Three ways of doing a case on a GPU: as it is written, by torch.compile, and as a CUDA graph."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.benchmark.cases import Case
from experiments.benchmark.timing import Periodic

__all__ = ["WAYS", "same_bits", "work"]

WAYS = ("eager", "compiled", "graph")

# Calls before a graph is captured, as torch asks for.
BEFORE_CAPTURE = 3


def work(case: Case, network: nn.Module, image: Tensor) -> Callable[[], object]:
    """Return a function that does a case once, ready to be timed.

    Running predictors are fitted to one batch in `fit_every`. Eager steps are timed over whole periods of that. A
    compiled step fits to every batch. A graph is captured between two fits, and replays none.

    Args:
        case: what is done.
        network: a layer or a network, on its device; it is trained.
        image: its input.
    """
    run = _compiled(network) if case.way == "compiled" else network
    step = _training(case, network, run, image) if case.training else _inference(case, network, run, image)
    every = max((int(getattr(module, "fit_every", 0)) for module in network.modules()), default=0)
    if case.way == "graph":
        return _captured(step, image.device, max(BEFORE_CAPTURE, every + 1))
    if case.way == "compiled" or not case.training or not every:
        return step
    # The first batches are all fitted to.
    for _ in range(every):
        step()
    return Periodic(step, every)


def _compiled(network: nn.Module) -> Callable[..., Tensor]:
    """Compile a network, beside others of the same class."""
    # One class has one cache. Where that is full torch goes on uncompiled, and only a line in a log would tell.
    torch._dynamo.config.recompile_limit = 64
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    compiled: Callable[..., Tensor] = torch.compile(network, dynamic=False)
    return compiled


def same_bits(case: Case, network: nn.Module, image: Tensor) -> bool:
    """Whether a case gives the same bits twice: its output, and in training all gradients.

    cuDNN is asked for algorithms that do, so that what is left is the boundary's own.
    """
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=True):
        first, second = (_results(case, copy.deepcopy(network), image) for _ in range(2))
    return all(map(torch.equal, first, second))


def _autocast(case: Case, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context of a network's forward: its parameters stay in float32."""
    lower = bool(case.network) and case.dtype is not torch.float32
    # What autocast keeps from before must not become part of a graph.
    return torch.autocast(
        device.type, case.dtype if lower else None, enabled=lower, cache_enabled=case.way != "graph"
    )


def _training(case: Case, network: nn.Module, run: Callable[..., Tensor], image: Tensor) -> Callable[[], object]:
    """Make a step of training; a layer by itself has no optimizer, and an input with a gradient."""
    leaf = image.clone().requires_grad_(not case.network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, capturable=case.way == "graph")
    targets: list[Tensor] = []

    def train() -> None:
        leaf.grad = None
        optimizer.zero_grad()
        _backward(case, run, leaf, targets)
        if case.network:
            optimizer.step()

    return train


def _backward(case: Case, run: Callable[..., Tensor], image: Tensor, targets: list[Tensor]) -> Tensor:
    """Compute gradients: of the distance to a target, or, of a layer, for a gradient of its output."""
    with _autocast(case, image.device):
        output = run(image)
    if not targets:
        targets.append(torch.ones_like(output))
    if case.network:
        F.mse_loss(output, targets[0]).backward()
    else:
        output.backward(targets[0])
    return output


def _inference(case: Case, network: nn.Module, run: Callable[..., Tensor], image: Tensor) -> Callable[[], object]:
    network.requires_grad_(False)
    # Running predictors need a batch of training first.
    network(image)
    network.eval()

    def call() -> object:
        with torch.inference_mode(), _autocast(case, image.device):
            return run(image)

    return call


def _results(case: Case, network: nn.Module, image: Tensor) -> list[Tensor]:
    """Return the output, and the gradients of the parameters and of a layer's input."""
    if not case.training:
        output = _inference(case, network, network, image)()
        return [output] if isinstance(output, Tensor) else []
    leaf = image.clone().requires_grad_(not case.network)
    output = _backward(case, network, leaf, [])
    return [output, *(tensor.grad for tensor in (leaf, *network.parameters()) if tensor.grad is not None)]


@dataclass(frozen=True)
class _Graph:
    """A step that was captured, with what its memory belongs to."""

    step: Callable[[], object]
    graph: "torch.cuda.CUDAGraph"

    def __call__(self) -> None:
        """Do it again."""
        self.graph.replay()


def _captured(step: Callable[[], object], device: torch.device, calls: int) -> _Graph:
    """Capture a step after so many calls."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        for _ in range(calls):
            step()
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return _Graph(step, graph)
