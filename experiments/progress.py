"""Progress in a terminal, and in a log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(total: int, console: Console) -> Iterator[Callable[[str], None]]:
    """Show how far a loop has come: a bar with the time left, or a line at each quarter where nobody watches.

    Args:
        total: Steps of the loop.
        console: Where to show it; whether it is a terminal decides how.

    Yields:
        A function to call after each step, with a few words on what is being done.

    """
    if not console.is_terminal:
        yield _quarter_lines(total, console)
        return
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        bar = bars.add_task("", total=total)
        yield lambda description: bars.update(bar, advance=1, description=description)


def _quarter_lines(total: int, console: Console) -> Callable[[str], None]:
    """Return the function that prints a line whenever another quarter of the steps is done."""
    start, done = monotonic(), 0

    def advance(description: str) -> None:
        nonlocal done
        done += 1
        if 4 * done // total > 4 * (done - 1) // total:
            seconds = monotonic() - start
            console.print(f"{done}/{total} ({description}), {seconds:.0f} s", highlight=False)

    return advance
