"""What sweeps and their jobs are called, so that the same command finds the same folders again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecgan.files import digest

if TYPE_CHECKING:
    from omegaconf import DictConfig

VOLATILE = ("paths", "tracker", "sweep", "hydra", "trainer.progress_bar", "trainer.threads", "preprocess.workers")
"""What does not make a job another one: where it lands, who is told of it, and how many cores work on it. The number
of threads may change the last digits of a result, but the same sweep on another machine is the same sweep."""
MORE_OF_THE_SAME = ("hydra.sweeper.n_trials", "hydra.sweeper.n_jobs")
"""Settings of a search that go on with the same search."""
DIGITS, LONGEST = 12, 60


def job_digest(cfg: DictConfig) -> str:
    """Digest of a composed config without what is volatile."""
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(
        OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]), resolve=True
    )
    # as text, since a setting may be infinite, which JSON does not know
    kept = OmegaConf.to_yaml(OmegaConf.create(without_volatile(content)), sort_keys=True)
    return digest(kept)[:DIGITS]


def without_volatile(content: Any) -> dict[str, Any]:
    """Settings without those that do not make a job another one."""
    kept = {key: value for key, value in content.items() if key not in VOLATILE}
    for section, _, name in (key.partition(".") for key in VOLATILE if "." in key):
        if isinstance(kept.get(section), Mapping):
            kept[section] = {key: value for key, value in kept[section].items() if key != name}
    return kept


def job_name(cfg: DictConfig, varied: Sequence[str]) -> str:
    """Folder of a job: what distinguishes it for a human, and the digest that finds it again.

    Args:
        cfg: composed.
        varied: those of the overrides that differ from job to job, as ``key=value``.
    """
    pairs = (override.partition("=")[::2] for override in varied)
    short = _plain("_".join(f"{key.rpartition('.')[2]}-{_rounded(value)}" for key, value in pairs))
    return f"{short}-{job_digest(cfg)}" if short else job_digest(cfg)


def digest_in(name: str) -> str:
    """The digest at the end of a job's folder."""
    return name.rpartition("-")[2]


def sweep_name(label: str, words: Iterable[str]) -> str:
    """Default name of a sweep.

    Args:
        label: of the file that defines it, or what is swept; may be empty.
        words: settings of the command line. Their order does not matter, and volatile ones do not.
    """
    kept = sorted(word for word in words if not _is_volatile(word.lstrip("+~").partition("=")[0]))
    return f"{_plain(label)}-{digest(kept)[:8]}" if label else digest(kept)[:8]


def _plain(text: str) -> str:
    """What may stand in the name of a folder, and needs no quotes in a shell."""
    return re.sub(r"[^\w.-]+", "-", text)[:LONGEST].strip("-._")


def _rounded(value: str) -> str:
    try:
        return value if value.lstrip("-").isdecimal() else f"{float(value):.4g}"
    except ValueError:
        return value.strip("[]{}'\"")


def _is_volatile(key: str) -> bool:
    if key.startswith(("hydra/sweeper", "hydra.sweeper.")):
        return key in MORE_OF_THE_SAME
    # the choice sweep=… says what is swept, other than the section sweep
    return key != "sweep" and any(key == name or key.startswith((f"{name}.", f"{name}/")) for name in VOLATILE)


def label_of(words: Sequence[str], file: Path | None, swept: Sequence[str]) -> str:
    """What a human shall recognize a sweep by."""
    chosen = dict(word.partition("=")[::2] for word in words)
    named = [chosen[group] for group in ("sweep", "experiment") if group in chosen]
    named = named or ([file.stem] if file is not None else [])
    return "_".join([*named, *(key.rpartition(".")[2] for key in swept)])
