"""The fold of a store as Lightning sees it: whole batches, indexed at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from ecgan.data.store import Store
from ecgan.data.transform import Transform
from ecgan.types import Batch, DataSpec, FloatArray, Fold, IntArray

CHUNK = 8192


class SeriesDataset(Dataset[Batch]):
    """Transformed series of one part, fetched a batch at a time.

    Args:
        store: the processed arrays.
        indices: positions in the store that belong to this part.
        transform: fitted on the training part.
    """

    def __init__(self, store: Store, indices: IntArray, transform: Transform) -> None:
        self.store, self.indices, self.transform = store, indices, transform

    def __len__(self) -> int:
        """Count the series."""
        return len(self.indices)

    def __getitem__(self, position: int) -> Batch:
        """One series as a batch of one."""
        return self.__getitems__([position])

    def __getitems__(self, positions: list[int]) -> Batch:
        """Many series as one batch."""
        index = self.indices[np.asarray(positions)]
        x = np.ascontiguousarray(self.transform(self.store.data[index]), dtype=np.float32)
        return Batch(torch.from_numpy(x), torch.from_numpy(self.store.label[index]), torch.from_numpy(index))


def series_chunks(store: Store, indices: IntArray) -> Iterator[FloatArray]:
    """Yield the untransformed series at ``indices`` in pieces that fit into memory."""
    for start in range(0, len(indices), CHUNK):
        yield store.data[indices[start : start + CHUNK]]


class DataModule(LightningDataModule):
    """Loaders of one fold; the transform is fitted on its training part.

    Args:
        store: the processed arrays.
        fold: which series belong to which part.
        transform: unfitted.
        batch_size: series per training batch.
        eval_batch_size: series per validation and test batch.
        seed: of the shuffling.
    """

    def __init__(
        self, store: Store, fold: Fold, transform: Transform, batch_size: int, eval_batch_size: int, seed: int
    ) -> None:
        super().__init__()
        self.store, self.fold, self.transform = store, fold, transform
        self.batch_size, self.eval_batch_size, self.seed = batch_size, eval_batch_size, seed
        transform.fit(series_chunks(store, fold.train))

    @property
    def spec(self) -> DataSpec:
        """What a model may know."""
        _, channels, seq_len = self.store.data.shape
        manifest = self.store.manifest
        return DataSpec(seq_len, channels, len(manifest["classes"]), manifest["fs_hz"], self.transform.value_range)

    def training_normals(self) -> SeriesDataset:
        """What detectors may be fitted on."""
        train = self.fold.train
        return self.part(train[self.store.label[train] == 0])

    def part(self, indices: IntArray) -> SeriesDataset:
        """Transformed series at these indices."""
        return SeriesDataset(self.store, indices, self.transform)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled training part."""
        generator = torch.Generator().manual_seed(self.seed)
        return self._loader(self.fold.train, self.batch_size, generator)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation part."""
        return self._loader(self.fold.val, self.eval_batch_size)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test part."""
        return self._loader(self.fold.test, self.eval_batch_size)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch; Lightning's own way searches every batch for nested containers first."""
        return Batch(*(part.to(device, non_blocking=True) for part in batch))

    def _loader(
        self, indices: IntArray, batch_size: int, generator: torch.Generator | None = None
    ) -> DataLoader[Batch]:
        return DataLoader(
            self.part(indices),
            batch_size=batch_size,
            shuffle=generator is not None,
            generator=generator,
            collate_fn=_as_it_is,
        )


def _as_it_is(batch: Any) -> Any:
    return batch
