"""``python -m ecgan.assisting``: what each further process of a training over several devices does."""

from __future__ import annotations

import sys
from pathlib import Path

from ecgan import assembly, engine, provenance
from ecgan.config import reconfigured
from ecgan.devices import OwnRandomNumbers, Place, averaging, joined
from ecgan.fold import fit, prepared


def assist(directory: Path, number: int, place: Place, folder: Path) -> None:
    """Fit a fold together with the other processes; judging and writing is left to the first one.

    Args:
        directory: of the run.
        number: of the fold.
        place: which process this is.
        folder: where the processes find each other.
    """
    cfg = reconfigured(directory / ".hydra" / "config.yaml", Path(provenance.read_run(directory)["cwd"]), [])
    store = assembly.open_data(cfg)
    fold = assembly.folds_of(cfg, store)[number]
    with engine.quiet():
        training = prepared(cfg, store, fold, directory)
        callbacks = [*training.callbacks, OwnRandomNumbers(training.seed, place.rank)]
        trainer = engine.make_trainer(cfg, training.directory, callbacks, None, averaging(place, training.model))
        with joined(folder, place, trainer.strategy.root_device):
            fit(trainer, training)


if __name__ == "__main__":
    run, fold, rank, size, meeting = sys.argv[1:]
    assist(Path(run), int(fold), Place(int(rank), int(size)), Path(meeting))
