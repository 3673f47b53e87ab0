"""The schema of the framework's own config sections; open groups are checked against their classes instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from ecgan.splitplan import SplitPlan


@dataclass
class PathsConfig:
    """Folders; relative ones start where the command is given."""

    data: str = "data"
    outputs: str = "outputs"
    mirror: str | None = None


@dataclass
class DataConfig:
    """Batches, and what models are told of the classes."""

    batch_size: int = 64
    eval_batch_size: int = 512
    labels: str = "classes"
    sampling: str = "shuffled"


@dataclass
class SplitConfig(SplitPlan):
    """How series are divided, by which random numbers, and which of the folds run."""

    method: str = MISSING
    seed: int = 0
    only: list[int] | None = None
    train_on: str = "auto"


@dataclass
class PreprocessConfig:
    """Named steps, applied in order before the store is written."""

    length: int | None = 128
    workers: int | None = None
    steps: Any = field(default_factory=dict)


@dataclass
class TrainerConfig:
    """What of Lightning's Trainer a run may set."""

    max_epochs: int = 20
    accelerator: str = "auto"
    devices: int = 1
    precision: str = "32-true"
    compile: bool = False
    deterministic: bool = True
    threads: int | None = None
    patience: int | None = None
    weights: str = "best"
    limit_train_batches: float = 1.0
    progress_bar: bool = True
    figures: bool = True


@dataclass
class GenerationConfig:
    """How what a model generates is judged."""

    n: int = 2000
    every: int | None = None
    bootstrap: int = 200


@dataclass
class TrackerConfig:
    """Where a run belongs, and who hears of it besides its directory."""

    entity: str = "local"
    project: str = "ecgan"
    experiment: str = "default"
    artifact: bool = False
    checkpoints: str | None = None
    wait_s: float = 60.0
    backends: Any = field(default_factory=dict)


@dataclass
class SweepConfig:
    """What a sweep is called, and how often failed jobs are tried again."""

    name: str | None = None
    retries: int = 2


@dataclass
class TrainConfig:
    """Everything a run is made of. Open groups are checked against their classes' signatures."""

    seed: int = 0
    paths: PathsConfig = field(default_factory=PathsConfig)
    data: DataConfig = field(default_factory=DataConfig)
    dataset: Any = None
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    transform: Any = None
    split: SplitConfig = field(default_factory=SplitConfig)
    model: Any = None
    threshold: Any = None
    detector: Any = None
    generation: GenerationConfig = field(default_factory=GenerationConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
