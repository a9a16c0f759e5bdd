"""What each mode promises; a new mode gets one entry here, and with it every test that loops over modes."""

from dataclasses import dataclass, field

import torch

from diff_conv2d.arguments import widths_of_padding
from diff_conv2d.geometry import Geometry
from diff_conv2d.modes import boundary


@dataclass(frozen=True)
class ModeCase:
    """Promises of a mode, and the options it is tried with."""

    options: dict = field(default_factory=dict)
    #: It continues images, so that `pad` knows it.
    extends: bool = True
    #: Its output is linear in the image.
    linear: bool = True
    #: A constant image stays constant outside.
    constants: bool = True
    #: It treats the axes alike: transposing the image transposes the result.
    axes_alike: bool = True
    #: Two calls give the same.
    deterministic: bool = True
    #: It takes images that are smaller than their padding.
    any_size: bool = True
    #: It works without a layer that keeps weights for it.
    functional: bool = True
    #: The numbers of spatial axes that it is for.
    axes: tuple = (1, 2, 3)


CASES = {
    "zeros": ModeCase(constants=False),
    "reflect": ModeCase(),
    "replicate": ModeCase(),
    "circular": ModeCase(),
    "symmetric": ModeCase(),
    "extrapolate": ModeCase(),
    "random": ModeCase(linear=False, deterministic=False),
    "partial": ModeCase(extends=False, constants=False),
    "explicit": ModeCase(extends=False, constants=False),
    "diff": ModeCase(),
    "diff_explicit": ModeCase(),
    "antireflect": ModeCase(),
    # Gradients as differences see them.
    "linear_prediction": ModeCase({"fit_gradient": True}, linear=False, axes_alike=False),
    # And one number of taps for all sizes, so that one exported graph serves them.
    "adaptive": ModeCase({"taps": 3, "fit_gradient": True}, linear=False),
    "learned": ModeCase(functional=False),
    "constant": ModeCase({"value": 0.5}, linear=False, constants=False),
    "antisymmetric": ModeCase(constants=False),
    "dirichlet": ModeCase({"value": 0.5}, linear=False, constants=False),
    "neumann": ModeCase({"value": 0.5}, linear=False, constants=False, any_size=False),
    "peripheral": ModeCase(functional=False, linear=False, constants=False, axes_alike=False, axes=(2,)),
}
DETERMINISTIC = [name for name, case in CASES.items() if case.deterministic]
FUNCTIONAL = [name for name, case in CASES.items() if case.functional]


def edge_kernels(mode, problem, weight, bias, copies=True):
    """Edge kernels for a mode that takes them: copies of the kernel, or random ones."""
    widths = widths_of_padding(problem.padding, problem.kernel, problem.stride, problem.dilation)
    geometry = Geometry(problem.kernel, problem.stride, problem.dilation, *widths)
    shape = boundary(mode).edge_weight_shape(tuple(weight.shape), geometry)
    if shape is None:
        return {}
    biases = (*shape[: -weight.ndim], weight.shape[0])
    if copies:
        return {"edge_weight": weight.expand(shape), "edge_bias": bias.expand(biases)}
    generator = torch.Generator().manual_seed(7)
    return {
        "edge_weight": torch.randn(shape, dtype=weight.dtype, generator=generator),
        "edge_bias": torch.randn(biases, dtype=weight.dtype, generator=generator),
    }
