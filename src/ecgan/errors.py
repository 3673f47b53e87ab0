"""Errors that a user can cause: one sentence that says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EcganError(Exception):
    """Base of all errors shown to the user without a traceback."""

    exit_code = 1


class ConfigError(EcganError):
    """The configuration is wrong; nothing has been downloaded, computed or written."""

    exit_code = 2


class DataError(EcganError):
    """Raw files, series or splits cannot be used as they are."""


class RunError(EcganError):
    """A run directory, checkpoint or training cannot be used or continued."""


class DivergedError(RunError):
    """A training gave values that are not finite; what was saved before is still good."""


class PrunedError(RunError):
    """A search gave a training up, because others were better by then."""


class SweepError(EcganError):
    """Some jobs of a sweep failed; what the others gave is there."""


class IncompleteError(RunError):
    """Some folds of a run failed; what the others gave is there."""


class Interrupted(SystemExit):
    """A signal has stopped the command; ``code`` is its exit code."""


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """Name the nearest valid word, or all of them when none is near.

    Args:
        word: what the user wrote.
        options: what would have been valid.

    Returns:
        The second half of a sentence, such as ``did you mean 'latent'?`` or ``valid are depth, latent.``
    """
    known = sorted(set(options))
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"valid are {', '.join(known)}." if known else "nothing is valid there."
