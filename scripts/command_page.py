"""The outputs on docs/command.md, made by its commands: `python -m scripts.command_page`."""

import contextlib
import io
import os
import re
import shlex
import shutil
import tempfile
from pathlib import Path

from matplotlib.cbook import get_sample_data

from diff_conv2d.command import main as command
from experiments.paths import REPOSITORY
from experiments.records import replacing
from experiments.sentences import in_one_sentence

__all__ = ["PAGE", "PHOTOGRAPH", "main", "output_of", "with_outputs"]

PAGE = REPOSITORY / "docs" / "command.md"
# As the page calls it.
PHOTOGRAPH = "photo.jpg"
_BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=```)", re.DOTALL)
_PROMPT, _NAME = "$ ", "diff-conv2d"


def output_of(line: str) -> str:
    """Run a command line in this process and return what it prints, without spaces at the ends of lines.

    Raises:
        ValueError: it is another command, or it fails.
    """
    name, *arguments = shlex.split(line)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        status = command(arguments) if name == _NAME else None
    if status != 0:
        raise ValueError(f"the command must be {_NAME} and end with status 0, got {line!r}: {printed.getvalue()}")
    return "".join(f"{text.rstrip()}\n" for text in printed.getvalue().rstrip().splitlines())


def with_outputs(text: str) -> str:
    """Return a page with what each command of its console blocks prints below it."""

    def filled(block: re.Match[str]) -> str:
        lines = [line for line in block[0].splitlines() if line.startswith(_PROMPT)]
        return "".join(f"{line}\n{output_of(line.removeprefix(_PROMPT))}" for line in lines)

    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(get_sample_data("grace_hopper.jpg", asfileobj=False), Path(folder) / PHOTOGRAPH)
        os.chdir(folder)
        try:
            return _BLOCK.sub(filled, text)
        finally:
            os.chdir(before)


@in_one_sentence("scripts.command_page")
def main() -> None:
    """Write the outputs into the page."""
    text = with_outputs(PAGE.read_text(encoding="utf-8"))
    with replacing(PAGE) as partial:
        partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
