"""The fold of a store as Lightning sees it: whole batches, indexed at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler, SequentialSampler

from ecgan.data.store import Store
from ecgan.data.transforms.scaling import Transform
from ecgan.types import Batch, DataSpec, FloatArray, Fold, IntArray

Labels = Literal["classes", "binary"]
BINARY = ("normal", "abnormal")
"""Names of the classes where models are told no more."""
Sampling = Literal["shuffled", "balanced"]
CHUNK_VALUES = 2**21
"""Values of the chunks that transforms are fitted on: 8 MB, and some copies of them."""


class SeriesDataset(Dataset[Batch]):
    """Transformed series of one part, fetched a batch at a time.

    Args:
        store: the processed arrays.
        indices: positions in the store that belong to this part.
        transform: fitted on the training part.
        label: (N,) what is told of the class of each series of the store, by default all that the store knows.
    """

    def __init__(self, store: Store, indices: IntArray, transform: Transform, label: IntArray | None = None) -> None:
        self.store, self.indices, self.transform = store, indices, transform
        self.label = store.label if label is None else label

    def __len__(self) -> int:
        """Count the series."""
        return len(self.indices)

    def __getitem__(self, position: int) -> Batch:
        """One series as a batch of one."""
        return self.__getitems__([position])

    def __getitems__(self, positions: Sequence[int] | IntArray) -> Batch:
        """Many series as one batch."""
        index = self.indices[np.asarray(positions)]
        x = np.ascontiguousarray(self.transform(self.store.data[index]), dtype=np.float32)
        return Batch(torch.from_numpy(x), torch.from_numpy(self.label[index]), torch.from_numpy(index))

    def original(self, index: Tensor) -> Tensor:
        """Series at these indices of the store in their original unit."""
        return torch.from_numpy(self.store.data[index.cpu().numpy()])

    def inverse(self, x: Tensor, index: Tensor | None = None) -> Tensor:
        """Bring transformed series (B, C, T) back to the original unit.

        Args:
            x: such as reconstructions or generated series.
            index: (B,) indices into the store of the series that x reconstructs, None for generated ones.
        """
        like = None if index is None else self.original(index).numpy()
        original = self.transform.inverse(x.detach().float().cpu().numpy(), like)
        return torch.from_numpy(np.ascontiguousarray(original, dtype=np.float32))


class ShuffledPositions(Sampler[int]):
    """Positions of n series in an order that depends on the seed and the number of the epoch alone."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed, self.epoch = n, seed, 0

    def __len__(self) -> int:
        """Count the positions."""
        return self.n

    def set_epoch(self, epoch: int) -> None:
        """Lightning tells the number of the epoch, also of one that is resumed."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Go through all positions once; the next time is the next epoch."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.n)
        self.epoch += 1
        return iter(order)


class BalancedPositions(ShuffledPositions):
    """As many positions of each class that is present, drawn with repetition, n in all.

    Where n is no multiple of the number of classes, each epoch draws anew which classes get one more.

    Args:
        label: (n,) class of each series.
        seed: the draws depend on it and the number of the epoch alone.
    """

    def __init__(self, label: IntArray, seed: int) -> None:
        super().__init__(len(label), seed)
        self.by_class = np.argsort(label, kind="stable")
        _, self.counts = np.unique(label, return_counts=True)

    def __iter__(self) -> Iterator[int]:
        """Draw n positions; the next time is the next epoch."""
        rng = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        present = len(self.counts)
        kind = rng.permutation(rng.permutation(present)[np.arange(self.n) % present])
        starts = np.cumsum(self.counts) - self.counts
        return iter(self.by_class[starts[kind] + rng.integers(0, self.counts[kind])])


class ArrayBatches(BatchSampler):
    """Batches of positions as arrays; torch's own are lists, which cost time and memory for every series.

    Args:
        positions: all of them, in the order of the epoch.
        batch_size: positions of a batch, over all devices.
        device: number of the device that gets its share of each batch.
        devices: how many there are. Each position of a batch goes to one of them.
        idle: whether a device may get nothing of a last batch that has too few for all. It cannot train on nothing:
            such a batch goes to all of them.
    """

    def __init__(
        self, positions: Sampler[int], batch_size: int, device: int = 0, devices: int = 1, idle: bool = True
    ) -> None:
        super().__init__(positions, batch_size, drop_last=False)
        self.device, self.devices, self.idle = device, devices, idle

    def __iter__(self) -> Iterator[Any]:
        """Cut the order that the sampler gives into batches."""
        order = np.fromiter(self.sampler, np.int64)
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            whole = len(batch) < self.devices and not self.idle
            yield batch if whole else batch[self.device :: self.devices]


def series_chunks(store: Store, indices: IntArray) -> Iterator[FloatArray]:
    """Yield the untransformed series at ``indices`` in pieces that fit into memory."""
    size = max(1, CHUNK_VALUES // store.data[0].size)
    for start in range(0, len(indices), size):
        yield store.data[indices[start : start + size]]


class DataModule(LightningDataModule):
    """Loaders of one fold; the transform is fitted on its training part.

    Args:
        store: the processed arrays.
        fold: which series belong to which part.
        transform: unfitted.
        batch_size: series per training batch.
        eval_batch_size: series per validation and test batch.
        seed: of the order of the training series.
        labels: what models are told: ``classes`` as the store has them, or ``binary``, 0 normal and 1 abnormal.
        sampling: ``shuffled``: every training series once an epoch; ``balanced``: as many of each class, drawn with
            repetition.
    """

    def __init__(
        self,
        store: Store,
        fold: Fold,
        transform: Transform,
        batch_size: int,
        eval_batch_size: int,
        seed: int,
        labels: Labels = "classes",
        sampling: Sampling = "shuffled",
    ) -> None:
        super().__init__()
        self.store, self.fold, self.transform = store, fold, transform
        self.batch_size, self.eval_batch_size, self.seed = batch_size, eval_batch_size, seed
        self.labels, self.sampling = labels, sampling
        self.label = store.label if labels == "classes" else (store.label != 0).astype(np.int64)
        transform.fit(series_chunks(store, fold.train))

    @property
    def spec(self) -> DataSpec:
        """What a model may know: the series as they come out of the transform."""
        stored = self.store.data.shape[1:]
        channels, seq_len = shape = self.transform.shape(*stored)
        manifest = self.store.manifest
        n_classes = len(manifest["classes"]) if self.labels == "classes" else 2
        counts = np.bincount(self.label[self.fold.train], minlength=n_classes)
        fs_hz = manifest["fs_hz"] if shape == stored else None  # what is no longer over time has no sampling rate
        value_range = self.transform.value_range
        return DataSpec(seq_len, channels, n_classes, fs_hz, value_range, tuple(counts.tolist()))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that models are told."""
        return tuple(self.store.manifest["classes"]) if self.labels == "classes" else BINARY

    def training_normals(self) -> SeriesDataset:
        """What detectors may be fitted on."""
        train = self.fold.train
        return self.part(train[self.store.label[train] == 0])

    def part(self, indices: IntArray) -> SeriesDataset:
        """Transformed series at these indices."""
        return SeriesDataset(self.store, indices, self.transform, self.label)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Training part, in an order that changes with the epoch."""
        train = self.fold.train
        positions = ShuffledPositions(len(train), self.seed)
        if self.sampling == "balanced":
            positions = BalancedPositions(self.label[train], self.seed)
        return self._loader(self.part(train), positions, self.batch_size, idle=False)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation part."""
        dataset = self.part(self.fold.val)
        return self._loader(dataset, SequentialSampler(dataset), self.eval_batch_size)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test part."""
        dataset = self.part(self.fold.test)
        return self._loader(dataset, SequentialSampler(dataset), self.eval_batch_size)

    def _loader(
        self, dataset: SeriesDataset, positions: Sampler[int], batch_size: int, idle: bool = True
    ) -> DataLoader[Batch]:
        trainer = self.trainer
        share = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        return DataLoader(
            dataset,
            batch_sampler=ArrayBatches(positions, batch_size, *share, idle),
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # without one, every pass draws a number from the global generator
        )

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch; Lightning's own way searches every batch for nested containers first."""
        return Batch(*(part.to(device, non_blocking=True) for part in batch))


def _as_it_is(batch: Any) -> Any:
    return batch
