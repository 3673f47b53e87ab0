"""What to tell a user of an error. Nothing heavy is imported before it is needed."""

from __future__ import annotations

from pathlib import Path

from ecgan.errors import ConfigError, EcganError


def sentence(error: Exception) -> tuple[str, int]:
    """What to tell the user, on one line, and the exit code."""
    told, code = _told(error)
    return " ".join(line.strip() for line in told.splitlines()), code


def _told(error: Exception) -> tuple[str, int]:
    if isinstance(error, EcganError):
        return str(error), error.exit_code
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from ecgan.explain import explain, refuses_a_group
    from ecgan.files import explain_os_error
    from ecgan.schema import TrainConfig

    if isinstance(error, (HydraException, OmegaConfBaseException)) or refuses_a_group(error):
        return explain(error, TrainConfig.__dataclass_fields__), ConfigError.exit_code
    if isinstance(error, OSError):
        return explain_os_error(error, Path(error.filename or Path.cwd())), EcganError.exit_code
    return (
        f"unexpected {type(error).__name__}: {error} (HYDRA_FULL_ERROR=1 shows where; please report it)",
        EcganError.exit_code,
    )
