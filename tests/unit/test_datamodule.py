"""Batches: whole, typed, seeded, and in the order of the store where order matters."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from ecgan.data import datamodule
from ecgan.data.datamodule import (
    ArrayBatches,
    BalancedPositions,
    DataModule,
    Labels,
    Sampling,
    ShuffledPositions,
    series_chunks,
)
from ecgan.data.splits.folds import make_folds
from ecgan.data.store import Store
from ecgan.data.transforms.fourier import Fourier
from ecgan.data.transforms.scaling import Identity, MinMax, PerSeries, Standard, Transform
from ecgan.data.transforms.whitening import Whitening
from ecgan.splitplan import SplitPlan
from ecgan.types import Batch, DataSpec, Fold


@pytest.fixture(scope="module")
def fold(toy_store: Store) -> Fold:
    return make_folds(toy_store.label, toy_store.group, None, SplitPlan(method="holdout", train_on="all"), 0)[0]


def module(
    store: Store,
    fold: Fold,
    transform: Transform | None = None,
    seed: int = 0,
    labels: Labels = "classes",
    sampling: Sampling = "shuffled",
) -> DataModule:
    return DataModule(store, fold, transform or Identity(), 16, 50, seed, labels, sampling)


def counts(label: np.ndarray) -> tuple[int, ...]:
    return tuple(np.bincount(label, minlength=3).tolist())


def order(loader: DataLoader[Batch]) -> list[int]:
    return torch.cat([batch.index for batch in loader]).tolist()


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_batches_have_the_promised_shapes_types_and_content(toy_store: Store, fold: Fold, part: str) -> None:
    data = module(toy_store, fold)
    size = 16 if part == "train" else 50
    indices = getattr(fold, part)
    batches = list(getattr(data, f"{part}_dataloader")())
    assert [len(batch.y) for batch in batches[:-1]] == [size] * ((len(indices) - 1) // size)
    for batch in batches:
        assert isinstance(batch, Batch)
        n = len(batch.index)
        assert (batch.x.shape, batch.y.shape) == ((n, 1, 64), (n,))
        assert (batch.x.dtype, batch.y.dtype, batch.index.dtype) == (torch.float32, torch.int64, torch.int64)
        assert np.array_equal(batch.x, toy_store.data[batch.index])
        assert np.array_equal(batch.y, toy_store.label[batch.index])
    assert sorted(torch.cat([batch.index for batch in batches]).tolist()) == indices.tolist()


def test_evaluation_keeps_the_order_of_the_store(toy_store: Store, fold: Fold) -> None:
    data = module(toy_store, fold)
    assert order(data.val_dataloader()) == fold.val.tolist()
    assert order(data.test_dataloader()) == fold.test.tolist()


def test_training_order_is_shuffled_by_the_seed_alone(toy_store: Store, fold: Fold) -> None:
    torch.manual_seed(1)
    loader = module(toy_store, fold, seed=5).train_dataloader()
    epochs = [order(loader), order(loader)]
    torch.manual_seed(2)
    torch.rand(3)
    again = module(toy_store, fold, seed=5).train_dataloader()
    assert [order(again), order(again)] == epochs
    assert epochs[0] != epochs[1], "each epoch has its own order"
    assert epochs[0] != fold.train.tolist()
    assert order(module(toy_store, fold, seed=6).train_dataloader()) != epochs[0]


def test_training_leaves_the_global_generator_alone_when_asked_twice(toy_store: Store, fold: Fold) -> None:
    data = module(toy_store, fold)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert order(data.train_dataloader()) == order(data.train_dataloader())
    assert order(data.val_dataloader()) == order(data.val_dataloader())
    assert torch.equal(torch.get_rng_state(), before)


def test_order_of_an_epoch_depends_on_its_number_alone() -> None:
    positions = ShuffledPositions(50, seed=1)
    epochs = [list(positions) for _ in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(50))] * 3
    resumed = ShuffledPositions(50, seed=1)
    resumed.set_epoch(2)
    assert list(resumed) == epochs[2]


LABEL = np.repeat([0, 2, 3], [40, 9, 1])
"""Three of four classes, one of them with a single series."""


def test_balanced_sampling_draws_as_many_of_each_class_that_is_there() -> None:
    positions = BalancedPositions(LABEL, seed=1)
    epochs = [list(positions) for _ in range(200)]
    assert {len(epoch) for epoch in epochs} == {len(positions)} == {50}
    drawn = [np.bincount(LABEL[epoch], minlength=4) for epoch in epochs]
    assert all(sorted(of_class.tolist()) == [0, 16, 17, 17] for of_class in drawn)
    assert len({tuple(of_class) for of_class in drawn}) == 3, "who gets one less changes with the epoch"
    assert set(np.concatenate(epochs).tolist()) == set(range(50))
    # within a class all series are alike: 40 counts of about 83 each
    of_zero = np.bincount(np.concatenate(epochs), minlength=50)[:40]
    assert np.abs(of_zero - of_zero.mean()).max() < 5 * np.sqrt(of_zero.mean())
    first_half = np.mean([LABEL[epoch[:25]] == 3 for epoch in epochs])
    assert abs(first_half - 1 / 3) < 0.03, "classes are mixed within an epoch"


def test_balanced_draws_depend_on_seed_and_epoch_alone() -> None:
    positions = BalancedPositions(LABEL, seed=1)
    epochs = [list(positions) for _ in range(3)]
    assert epochs[0] != epochs[1]
    resumed = BalancedPositions(LABEL, seed=1)
    resumed.set_epoch(2)
    assert list(resumed) == epochs[2]
    assert list(BalancedPositions(LABEL, seed=2)) != epochs[0]


@pytest.mark.parametrize("label", [np.zeros(5, int), np.array([2]), np.array([1, 0])])
def test_balanced_sampling_of_few_series(label: np.ndarray) -> None:
    drawn = list(BalancedPositions(label, seed=0))
    assert np.bincount(label[drawn]).tolist() == np.bincount(label).tolist()


def test_a_balanced_epoch_is_as_long_and_holds_training_series_only(toy_store: Store, fold: Fold) -> None:
    balanced = module(toy_store, fold, sampling="balanced")
    epoch = np.array(order(balanced.train_dataloader()))
    assert len(epoch) == len(fold.train)
    assert set(epoch) <= set(fold.train)
    n = np.bincount(toy_store.label[epoch])
    assert n.max() - n.min() <= 1
    assert order(balanced.val_dataloader()) == fold.val.tolist()
    assert order(balanced.test_dataloader()) == fold.test.tolist()


def test_binary_labels_are_all_that_a_model_is_told(toy_store: Store, fold: Fold) -> None:
    data = module(toy_store, fold, labels="binary")
    abnormal = (toy_store.label != 0).astype(int)
    assert (data.spec.n_classes, data.spec.class_counts) == (2, counts(abnormal[fold.train])[:2])
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        for batch in loader:
            assert batch.y.dtype == torch.int64
            assert batch.y.tolist() == abnormal[batch.index].tolist()
    balanced = module(toy_store, fold, labels="binary", sampling="balanced")
    assert np.bincount(abnormal[order(balanced.train_dataloader())]).tolist() == [70, 70]
    normals = data.training_normals()
    assert len(normals) == (toy_store.label[fold.train] == 0).sum()


@pytest.mark.parametrize("n", [1, 15, 16, 17, 48])
def test_batches_are_arrays_and_none_is_lost(n: int) -> None:
    batches = ArrayBatches(ShuffledPositions(n, seed=0), 16)
    found = list(batches)
    assert len(batches) == len(found)
    assert [len(batch) for batch in found[:-1]] == [16] * ((n - 1) // 16)
    assert all(isinstance(batch, np.ndarray) for batch in found)
    assert sorted(np.concatenate(found).tolist()) == list(range(n))


@pytest.mark.parametrize("n", [48, 49, 51, 63])
@pytest.mark.parametrize("devices", [2, 3])
@pytest.mark.parametrize("idle", [True, False])
def test_devices_share_each_batch_out(n: int, devices: int, idle: bool) -> None:
    whole = list(ArrayBatches(ShuffledPositions(n, seed=0), 16))
    shares = [list(ArrayBatches(ShuffledPositions(n, seed=0), 16, device, devices, idle)) for device in range(devices)]
    for number, batch in enumerate(whole):
        parts = [share[number] for share in shares]
        if len(batch) < devices and not idle:
            assert all(part.tolist() == batch.tolist() for part in parts), "too few to train on nothing: all get them"
        else:
            assert sorted(np.concatenate(parts)) == sorted(batch)
            assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert {len(share) for share in shares} == {len(whole)}


class Watcher(pl.LightningModule):
    """Notes which series it is trained on, epoch by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(64, 1)
        self.seen: list[list[int]] = []

    def on_train_epoch_start(self) -> None:
        self.seen.append([])

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        self.seen[-1] += batch.index.tolist()
        loss: torch.Tensor = self.layer(batch.x).mean()
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        assert batch.index.tolist() == sorted(batch.index.tolist())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def fitted(data: DataModule, epochs: int, folder: Path, resume: Path | None = None) -> list[list[int]]:
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    watcher = Watcher()
    trainer.fit(watcher, data, ckpt_path=resume)
    trainer.save_checkpoint(folder / f"{epochs}.ckpt")
    return watcher.seen


def test_lightning_keeps_the_order_also_of_resumed_epochs(toy_store: Store, fold: Fold, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for harmless in (".*many workers.*", ".*training batches.*", ".*LeafSpec.*", ".*GPU available.*"):
            warnings.filterwarnings("ignore", message=harmless)
        straight = fitted(module(toy_store, fold), 4, tmp_path)
        assert [sorted(epoch) for epoch in straight] == [sorted(fold.train.tolist())] * 4
        assert len({tuple(epoch) for epoch in straight}) == 4
        assert fitted(module(toy_store, fold), 2, tmp_path) == straight[:2]
        assert fitted(module(toy_store, fold), 4, tmp_path, tmp_path / "2.ckpt") == straight[2:]
    loader = module(toy_store, fold).train_dataloader()
    assert straight == [order(loader) for _ in range(4)]


def test_a_batch_is_fetched_at_once_and_transformed(
    toy_store: Store, fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Counting(PerSeries):
        def __call__(self, x: np.ndarray) -> np.ndarray:
            asked.append(len(x))
            return super().__call__(x)

    data = module(toy_store, fold, Counting())
    batch = next(iter(data.val_dataloader()))
    assert asked == [len(batch.x)]
    assert batch.x.amax(dim=2).sub(1).abs().max() < 1e-5
    assert batch.x.amin(dim=2).add(1).abs().max() < 1e-5


def test_a_part_can_be_indexed_by_position(toy_store: Store, fold: Fold) -> None:
    dataset = module(toy_store, fold).part(fold.test)
    assert len(dataset) == len(fold.test)
    batch = dataset.__getitems__([3, 0, 3])
    assert batch.index.tolist() == fold.test[[3, 0, 3]].tolist()
    assert np.array_equal(batch.x, toy_store.data[fold.test[[3, 0, 3]]])
    single = dataset[2]
    assert (single.x.shape, single.index.tolist()) == ((1, 1, 64), [fold.test[2]])


def test_batches_are_copies(toy_store: Store, fold: Fold) -> None:
    dataset = module(toy_store, fold).part(fold.val)
    first = dataset[0]
    first.x.zero_()
    first.index.zero_()
    assert np.array_equal(dataset[0].x[0], toy_store.data[fold.val[0]])
    assert dataset[0].index.tolist() == [fold.val[0]]


def test_detectors_get_training_normals_only(toy_store: Store, fold: Fold) -> None:
    normals = module(toy_store, fold).training_normals()
    batch = normals.__getitems__(list(range(len(normals))))
    assert batch.index.tolist() == [i for i in fold.train.tolist() if toy_store.label[i] == 0]
    assert not batch.y.any()


def test_spec_is_all_that_a_model_may_know(toy_store: Store, fold: Fold) -> None:
    of_training = counts(toy_store.label[fold.train])
    assert module(toy_store, fold).spec == DataSpec(64, 1, 3, 100.0, value_range=None, class_counts=of_training)
    assert module(toy_store, fold, MinMax()).spec.value_range == (-1.0, 1.0)


def test_transform_is_fitted_on_all_training_series_in_pieces(
    toy_store: Store, fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datamodule, "CHUNK_VALUES", 37 * 64 + 63)
    pieces = list(series_chunks(toy_store, fold.train))
    assert max(len(piece) for piece in pieces) == 37
    assert np.array_equal(np.concatenate(pieces), toy_store.data[fold.train])
    transform = MinMax()
    module(toy_store, fold, transform)
    train = toy_store.data[fold.train]
    assert transform.state() == {"low": [float(train.min())], "high": [float(train.max())]}


def test_spec_is_that_of_the_transformed_series(toy_store: Store, fold: Fold) -> None:
    data = module(toy_store, fold, Fourier())
    assert data.spec == DataSpec(33, 2, 3, None, None, counts(toy_store.label[fold.train]))
    assert next(iter(data.val_dataloader())).x.shape[1:] == (2, 33)


@pytest.mark.parametrize("cls", [Identity, PerSeries, MinMax, Standard, Fourier, Whitening])
def test_series_come_back_in_their_original_unit(cls: type[Transform], toy_store: Store, fold: Fold) -> None:
    part = module(toy_store, fold, cls()).part(fold.test)
    batch = part.__getitems__([5, 1, 1])
    stored = toy_store.data[fold.test[[5, 1, 1]]]
    assert np.array_equal(part.original(batch.index), stored)
    back = part.inverse(batch.x.requires_grad_(), batch.index)
    assert (back.dtype, back.requires_grad) == (torch.float32, False)
    assert np.allclose(back, stored, atol=1e-3)
    generated = part.inverse(batch.x)
    assert generated.shape == back.shape
    assert torch.isfinite(generated).all()
    assert torch.equal(generated, back) == (cls is not PerSeries)
