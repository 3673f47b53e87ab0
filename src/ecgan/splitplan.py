"""How to divide a data set: the settings, for the config's schema and for the work alike."""

from __future__ import annotations

from dataclasses import dataclass

from ecgan.errors import ConfigError

METHODS = ("holdout", "kfold", "group_kfold", "inter_patient", "official", "from_file")
CROSS_VALIDATION = ("kfold", "group_kfold")
PRESCRIBED = ("inter_patient", "official")
"""Methods whose test part the source prescribes."""
MIN_FOLDS = 2


@dataclass
class SplitPlan:
    """How to split; the meaning of each field stands in ``conf/split``."""

    method: str = "kfold"
    folds: int = 5
    test: str = "fixed"
    test_size: float = 0.2
    val_size: float = 0.2
    abnormal: str = "stratify"
    train_on: str = "normal"
    group: bool = True
    path: str | None = None

    def check(self) -> None:
        """Refuse settings that contradict each other, whatever the data.

        Raises:
            ConfigError: naming the setting and what to use instead.
        """
        if self.method not in METHODS:
            raise ConfigError(f"split.method is {self.method!r} but must be one of {', '.join(METHODS)}.")
        for name, size in (("test_size", self.test_size), ("val_size", self.val_size)):
            if not (0 <= size < 1 or (size >= 1 and float(size).is_integer())):
                raise ConfigError(
                    f"split.{name} is {size} but must be a share below 1, or from 1 on a whole number of series."
                )
        if self.method in CROSS_VALIDATION and self.folds < MIN_FOLDS:
            raise ConfigError(
                f"split.folds is {self.folds} but {self.method} needs at least {MIN_FOLDS}; raise it, or use "
                "split=holdout for one."
            )
        if self.method == "group_kfold" and not self.group:
            raise ConfigError(
                "split.group=false mixes patients, which split=group_kfold keeps apart; use split=kfold to mix them."
            )
        if self.method in PRESCRIBED and self.abnormal == "test":
            raise ConfigError(
                f"split.abnormal=test would change the test part that split={self.method} takes from the source; leave "
                "it at stratify, or use split=holdout."
            )
        if self.method == "from_file" and self.path is None:
            raise ConfigError("split=from_file needs split.path=<splits.json>, as written by an earlier run.")
