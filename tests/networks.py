"""Networks as the configuration has them."""

import yaml

from experiments.paths import CONFIGS


def model(name, options=()):
    """The group `model` of a network: of its own file, or of torchvision's."""
    own = CONFIGS / "model" / f"{name}.yaml"
    file = own if own.is_file() else CONFIGS / "model" / "torchvision.yaml"
    target = yaml.safe_load(file.read_text(encoding="utf-8"))["_target_"]
    return {"_target_": target, "name": name, "options": dict(options)}
