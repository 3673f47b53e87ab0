"""Event files, read back by TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecgan.track.record import Record
from ecgan.track.sync import sync
from tracked_runs import with_trackers


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    return with_trackers(tiny_run, tmp_path, "tracker=tensorboard")


def events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    return accumulator


def test_metrics_results_figures_and_config(run: Path) -> None:
    assert sync([str(run)]).sent == 3
    for number in (0, 1):
        record = Record(run, number)
        found = events(record.directory)
        told = [
            (name, event.step, event.value)
            for name in found.Tags()["scalars"]
            for event in found.Scalars(name)
            if not name.startswith(("knn/", "model/"))
        ]
        logged = [(name, row.step, value) for row in record.rows() for name, value in row.values.items()]
        assert sorted(told) == [(name, step, pytest.approx(value)) for name, step, value in sorted(logged)]
        results = {name: found.Scalars(name)[0].value for name in record.results()}
        assert results == pytest.approx(record.results(), nan_ok=True)
        assert found.Tags()["images"] == ["figures/loss"]
        texts = {name: found.Tensors(name)[0].tensor_proto.string_val[0].decode() for name in found.Tags()["tensors"]}
        assert "seq_len: 32" in texts["config/text_summary"]
        assert f"group: {run.name}" in texts["about/text_summary"]
        assert texts["status/text_summary"] == "finished"
    assert events(run).Scalars("knn/auroc")[0].value == pytest.approx(Record(run).results()["knn/auroc"])


def test_again_nothing_is_there_twice(run: Path) -> None:
    assert sync([str(run)]).sent == 3
    assert sync([str(run)]).sent == 0
    (run / "tracking.json").unlink()
    assert sync([str(run)]).sent == 3
    assert len(list((run / "fold_0" / "tensorboard").iterdir())) == 1
    assert len(events(run / "fold_0").Scalars("epoch")) == len(Record(run, 0).rows())
