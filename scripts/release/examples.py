"""Run the examples in a package's docstrings by Python alone: `python -I examples.py diff_conv2d`.

The interpreter of another environment runs this file, so that it imports nothing of the repository. Prints JSON:
`version` and `folder` of the package, how many `examples` were run, `failed` with what each failure says, and
`lacking`: for each module or example that cannot be run, the package that is not there.
"""

import doctest
import json
import pkgutil
import sys
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

__all__ = ["Runner", "main"]


class Runner(doctest.DocTestRunner):
    """Runs examples, and keeps what fails apart from what lacks a package."""

    def __init__(self) -> None:
        super().__init__(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.FAIL_FAST)
        self.examples = 0
        self.failed: list[str] = []
        self.lacking: dict[str, str] = {}

    def run_module(self, module: ModuleType, names: dict[str, Any]) -> None:
        """Run the examples of a module; each starts with the same random numbers."""
        for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=names):
            names["torch"].manual_seed(0)
            self.run(test, out=lambda text: None)
            if test.name not in self.lacking:
                self.examples += len(test.examples)

    def report_failure(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        """Keep what an example should have printed, and what it did."""
        self.failed.append(f"{test.name}: {example.source}expected {example.want}got {got}")

    def report_unexpected_exception(
        self, out: Any, test: doctest.DocTest, example: doctest.Example, exc_info: Any
    ) -> None:
        """Keep an error, or the package that an example would need."""
        self.not_run(test.name, exc_info[1], example.source)

    def not_run(self, place: str, error: BaseException, source: str = "") -> None:
        """Keep an error, or the package that would be needed, which the library tells in an error of its own."""
        absent = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        if isinstance(absent, ModuleNotFoundError) and absent.name:
            self.lacking[place] = absent.name
        else:
            self.failed.append(f"{place}: {source}{type(error).__name__}: {error}")


def main(name: str) -> None:
    """Run the examples of all modules of a package."""
    package = import_module(name)
    names = {"torch": import_module("torch")}
    runner = Runner()
    runner.run_module(package, names)
    for found in pkgutil.walk_packages(package.__path__, f"{name}."):
        try:
            module = import_module(found.name)
        except ImportError as error:
            runner.not_run(found.name, error)
        else:
            runner.run_module(module, names)
    told = {"examples": runner.examples, "failed": runner.failed, "lacking": runner.lacking}
    print(json.dumps({"version": version(name), "folder": package.__path__[0], **told}))


if __name__ == "__main__":
    main(sys.argv[1])
