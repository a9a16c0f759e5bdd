"""Every setting of every program, given values of wrong kinds: a sentence names it, before anything is done."""

import copy
from functools import partial

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from experiments.adaptive import settings as adaptive
from experiments.benchmark import settings as benchmark
from experiments.checks import Reader
from experiments.convergence import settings as convergence
from experiments.error_maps import settings as error_maps
from experiments.filtering import settings as filtering
from experiments.finetuning import settings as finetuning
from experiments.frontier import settings as frontier
from experiments.frontier_cost import settings as frontier_cost
from experiments.paths import CONFIGS
from experiments.position import settings as position
from experiments.regimes import settings as regimes
from experiments.rollouts import settings as rollouts
from experiments.seams import settings as seams
from experiments.settings import read_settings
from experiments.shells import settings as shells
from experiments.sizes import settings as sizes
from experiments.slopes import settings as slopes
from experiments.surrogate import settings as surrogate
from experiments.training.arguments import fits
from experiments.training.cells import read_sweep
from experiments.training.settings import check_settings

# All of them together take many seconds.
pytestmark = pytest.mark.slow


def reads(kind):
    return partial(read_settings, kind)


def read_reproduce(config):
    read = Reader(config)
    read_sweep(read)
    read.end()


# A program's check, and its configurations.
PROGRAMS = {
    "adaptive": (reads(adaptive.Settings), ["adaptive"], ["adaptive_held_out"]),
    "benchmark": (reads(benchmark.Settings), ["benchmark"]),
    "convergence": (reads(convergence.Settings), ["convergence"]),
    "error_maps": (reads(error_maps.Settings), ["error_maps"], ["error_maps", "scale=paper"]),
    "filtering": (reads(filtering.Settings), ["filtering"]),
    "finetuning": (reads(finetuning.Settings), ["finetuning"]),
    "frontier": (reads(frontier.Settings), ["frontier"]),
    "frontier_cost": (reads(frontier_cost.Settings), ["frontier_cost"]),
    "position": (reads(position.Settings), ["position"]),
    "regimes": (reads(regimes.Settings), ["regimes"]),
    "reproduce": (read_reproduce, ["reproduce", "sweep=all"], ["reproduce", "sweep=all", "+trial=small_trees"]),
    "rollouts": (reads(rollouts.Settings), ["rollouts"]),
    "seams": (reads(seams.Settings), ["seams"]),
    "shells": (reads(shells.Settings), ["shells"]),
    "sizes": (reads(sizes.Settings), ["sizes"], ["sizes", "scale=paper"]),
    "slopes": (reads(slopes.Settings), ["slopes"]),
    "surrogate": (reads(surrogate.Settings), ["surrogate"]),
    "train": (
        check_settings,
        ["train", "model=unet", "data=globe", "optimizer=sgd", "scheduler=step"],
        ["train", "padding=adaptive", "data=etopo", "optimizer=adam"],
        ["train", "padding=linear_prediction", "data=cityscapes", "model=unet_classifier", "scheduler=none"],
    ),
}
EXPERIMENTS = [
    pytest.param(check_settings, ["train", f"experiment={path.stem}"], id=path.stem)
    for path in sorted((CONFIGS / "experiment").glob("*.yaml"))
]
CASES = [
    pytest.param(check, chosen, id=" ".join(chosen)) for check, *configs in PROGRAMS.values() for chosen in configs
]

NAN, INFINITY = float("nan"), float("inf")
# What no setting may be, and what none of a type may be.
NEVER = [[[]], [[1], [2]], {"no": {"such": "thing"}}, "", " ", NAN, INFINITY, -INFINITY, 1e300, -7, "\0"]
NOT = {
    bool: ["no", "off", "yes", "on", "maybe", 0, 1, None, []],
    int: ["many", True, 1.5, -(10**30), 10**400, [], [1]],
    float: ["many", True, -(10**30), 10**400, [], [1]],
    str: [True, 3, None, []],
    list: ["many", True, 3, None, {}],
    dict: ["many", True, 3, []],
}
# null leaves these at their defaults, or takes all.
MAY_BE_NULL = {
    "fields", "methods", "groups", "corner", "where", "only", "jobs", "squares", "threads", "navier_stokes_path",
    "experiment_name", "scheduler", "data.train_patches", "data.test_size", "data.tiles", "finetuning.threads",
    "trainer.limit_train_batches", "trainer.limit_val_batches", "trainer.limit_test_batches",
    "trainer.gradient_clip_val", "trainer.deterministic", "trainer.max_epochs", "trainer.precision",
    "padding.degree", "padding.taps", "padding.pool", "padding.neighbourhood",
}  # fmt: skip
MAY_BE_EMPTY = {
    "ablation_sizes", "settings", "pictures", "regions", "model.options", "where", "data.validation_cities",
    "data.tiles",
}  # fmt: skip

# Numbers that are configured as integers.
FRACTIONS = {"blur", "least_deviation", "limit", "noise_blur", "trainer.gradient_clip_val"}


def composed(*chosen):
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose(chosen[0], list(chosen[1:]))
    OmegaConf.set_struct(config, False)
    return config


def settings_of(config, place=()):
    """The places of all settings, of groups and of what is in them."""
    for key in config:
        yield (*place, key)
        node = None if OmegaConf.is_missing(config, key) else config._get_node(key)
        if isinstance(node, DictConfig) and not node._is_none():
            yield from settings_of(node, (*place, key))


@pytest.mark.parametrize(("check", "chosen"), [*CASES, *EXPERIMENTS])
def test_what_is_configured_can_be_used(check, chosen):
    check(composed(*chosen))


@pytest.mark.parametrize(("check", "chosen"), CASES)
def test_a_value_of_a_wrong_kind_is_refused_by_the_name_of_its_setting(check, chosen):
    whole, told, failed = composed(*chosen), 0, []
    for place in settings_of(whole):
        if place[0] in ("controls", "sweeps") and len(place) > 1 and chosen[0] != "reproduce":
            continue
        key, value = ".".join(map(str, place)), at(whole, place)
        for wrong in [*NEVER, *NOT.get(type(value), [])]:
            if allowed(key, value, wrong):
                continue
            config, told = copy.deepcopy(whole), told + 1
            at(config, place[:-1], plain=False)[place[-1]] = wrong
            try:
                check(config)
                failed.append(f"{key}={wrong!r} is taken")
            except ValueError as refused:
                message = str(refused)
                if not names(key, message) or len(message) > 3000 or "\n" in message:
                    failed.append(f"{key}={wrong!r:.100}: {message}")
    assert not failed, "\n".join(failed)
    assert told > 50


def test_what_refers_to_a_setting_that_cannot_be_used_is_not_told_of():
    config = composed("error_maps")
    config.scale, config.seed = "large", -1
    with pytest.raises(ValueError, match="scale") as refused:
        read_settings(error_maps.Settings, config)
    assert str(refused.value) == (
        "scale must be one of embedded, paper; got 'large'; seed must be an integer of at least 0, got -1"
    )


def at(config, place, plain=True):
    """The value of a setting, or the group that it is in."""
    if any(OmegaConf.is_missing(config, key) for key in place[:1]):
        return None
    for key in place:
        config = config[key]
    return OmegaConf.to_container(config, resolve=True) if plain and OmegaConf.is_config(config) else config


def allowed(key, value, wrong):
    """Whether a value may be taken: of settings that others decide about, and of free text."""
    first = key.rpartition(".")[0]
    free = key.startswith(("at_scale", "squares", "where.", "images.globe.", "images.landcover."))
    if free or (key.split(".")[0] in ("where", "images") and isinstance(wrong, dict)):
        # Only what is referred to counts; a trial sets what another program reads; runs are looked for by any value;
        # what large images are made by is for their data set to check.
        return True
    if (wrong == 1.5 and key in FRACTIONS) or (key == "padding.degree" and wrong == [1]):
        return True
    if isinstance(wrong, float | int) and not isinstance(wrong, bool) and fits(wrong, float):
        # Data sets know what their numbers may be, and torch at which rate a network diverges.
        if first == "data" and (value is None or fits(wrong, type(value))):
            return True
        if first in ("optimizer", "scheduler") and wrong == 1e300:
            return True
    if wrong is None:
        return key in MAY_BE_NULL or value is None
    if wrong in ([], {}):
        return key in MAY_BE_EMPTY or first in ("controls", "sweeps") or first.startswith("sweeps.")
    if isinstance(value, str) and isinstance(wrong, str):
        # Words are looked up, or free.
        return bool(wrong.strip("\0 ")) or first.startswith(("controls", "sweeps"))
    return False


def names(key, message):
    """Whether a message is about a setting: by its name, or as one of its group."""
    return key in message or key.rpartition(".")[0] + "." in message
