"""How a program ends that cannot do its work: with one sentence and a status, never with a traceback."""

import os
import select
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from experiments.interrupts import INTERRUPTED

__all__ = ["FULL_ERROR", "expected", "in_one_sentence", "keep_traceback", "sentence", "unexpected"]

# With it Hydra raises what is wrong instead of printing it in several lines, and a user has the whole traceback.
FULL_ERROR = "HYDRA_FULL_ERROR"
# What settings, files and the machine are to blame for. Anything else is a mistake of the program.
EXPECTED = (ValueError, OSError, MemoryError, HydraException, OmegaConfBaseException, BrokenProcessPool)
# How torch says that there is not enough memory, in a RuntimeError; CUDA's has a class of its own.
NO_MEMORY = ("allocate memory", "OutOfMemoryError")
# How Hydra's error begins for `data=null`.
NULL_GROUP = "Config group override must be"


@contextmanager
def in_one_sentence(program: str, folder: Path | None = None, again: str = "") -> Iterator[None]:
    """End the program with one sentence and a status if what is inside raises; also a decorator of a program's main.

    Ctrl-C ends it with status 130. A reader of its output that stops reading, such as `head`, ends it silently.
    The traceback of an unforeseen error is kept. With the environment variable HYDRA_FULL_ERROR everything is raised
    as it is.

    Args:
        program: as the sentence begins.
        folder: where the traceback of an unforeseen error is kept.
        again: what to say of a next attempt when the program is stopped.

    Raises:
        SystemExit: in place of any other error.
    """
    if os.environ.get(FULL_ERROR):
        yield
        return
    try:
        try:
            yield
        finally:
            # A reader that is gone is noticed here, not when Python ends. A closed output is None.
            if sys.stdout is not None:
                sys.stdout.flush()
    except KeyboardInterrupt:
        _stopped(program, again)
    except SystemExit as end:
        # Lightning turns Ctrl-C into an end without a word.
        if isinstance(end.__context__, KeyboardInterrupt) and end.code != INTERRUPTED:
            _stopped(program, again)
        raise
    except BrokenPipeError as error:
        if not _nobody_reads():
            sys.exit(f"{program}: {sentence(error)}")
        sys.exit(1)
    except Exception as error:
        if type(error) is ValueError and not str(error).startswith(NULL_GROUP):
            # The program's own words, which may have lines to copy.
            sys.exit(f"{program}: {error}")
        why = sentence(error) if expected(error) else unexpected(error, folder)
        sys.exit(f"{program}: {why}")


def expected(error: Exception) -> bool:
    """Whether an error's own words are enough."""
    return isinstance(error, EXPECTED) or _of_memory(error)


def sentence(error: Exception, place: Path | None = None) -> str:
    """Say in one line what an error says.

    Args:
        error: any.
        place: where the work was done; told for an error of the system that names no file.

    Example:
        >>> sentence(MissingConfigException("In 'train': ...", "padding/dif", ["diff", "zeros"]))
        'there is no padding/dif; there are diff, zeros'
        >>> sentence(NotADirectoryError(20, "Not a directory", "/dev/null/tables"))
        '/dev/null/tables: Not a directory'
    """
    if str(error).startswith(NULL_GROUP):
        return "a group such as data, model or padding must be one of its choices, which --help lists; got null"
    if isinstance(error, MissingConfigException) and error.options:
        return f"there is no {error.missing_cfg_file}; there are {', '.join(map(str, error.options))}"
    if isinstance(error, HydraException):
        return _of_override(error)
    if isinstance(error, OmegaConfBaseException):
        what = str(error).splitlines()[0].rstrip(".")
        return f"{error.full_key}: {what}" if error.full_key else what
    if isinstance(error, BrokenProcessPool):
        return "a process died, perhaps for lack of memory"
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(map(str, filter(None, [error.filename or place, error.strerror])))
    what = " ".join(str(error).split()) or type(error).__name__
    return f"there is not enough memory ({what})" if _of_memory(error) else what


def unexpected(error: Exception, folder: Path | None) -> str:
    """Say what an error says, of what kind it is, and where its traceback is, which is kept in a folder."""
    return f"{type(error).__name__}: {sentence(error)}; {keep_traceback(error, folder)}"


def keep_traceback(error: Exception, folder: Path | None) -> str:
    """Write an error's traceback to a folder, and say where it is or how to see it."""
    if folder is not None:
        path = folder / "traceback.txt"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        except OSError:
            pass
        else:
            return f"the whole traceback is in {path}"
    return f"the environment variable {FULL_ERROR}=1 shows the whole traceback"


def _of_override(error: HydraException) -> str:
    what = str(error).splitlines()[0].rstrip(".")
    if what.startswith("Lexer"):
        return f"{what.partition(': ')[2]} cannot be read: a setting is NAME=VALUE, with quotes in pairs"
    cause = error.__cause__
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return f"{what[0].lower()}{what[1:]}: there is no such option; --help lists all"
    return f"{what}: {str(cause).splitlines()[0]}" if cause and str(cause) else what


def _of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(
        words in f"{type(error).__name__}: {error}" for words in NO_MEMORY if isinstance(error, RuntimeError)
    )


def _stopped(program: str, again: str) -> None:
    print(f"{program}: stopped{again and '; '}{again}", file=sys.stderr)
    sys.exit(INTERRUPTED)


def _nobody_reads() -> bool:
    """Whether standard output is a pipe without a reader, which then is replaced, so that Python ends in peace."""
    try:
        output = sys.stdout.fileno()
        poll = select.poll()
    except (OSError, ValueError, AttributeError):
        # There is no such file, or no poll, as on Windows.
        return False
    poll.register(output, 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True
