"""The scoring path of a detector as one ONNX graph: series in their own unit to scores."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ecgan.data.transforms.scaling import Identity, PerChannel, PerSeries, Transform
from ecgan.detect.combined import Combined
from ecgan.detect.weighting import Grid, Standardized
from ecgan.errors import ConfigError, EcganError
from ecgan.files import replacing
from ecgan.publish.detector import Parts, PublishedDetector
from ecgan.types import Scorer

ONNX = "model.onnx"
LIBRARIES = ("onnx", "onnxscript", "onnxruntime")
TRACED = 4
"""Series that the path is traced with; any number goes through it afterwards."""
PROBED = (1, TRACED, 2 * TRACED + 1)
TOLERANCE = 1e-4


class CannotExportError(EcganError):
    """Why a detector has no ONNX file."""


def refuse_without_libraries() -> None:
    """Refuse at once what would fail later.

    Raises:
        ConfigError: when a library is missing.
    """
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"onnx=true needs the library {missing[0]}; install it with: python -m pip install 'ecgan[onnx]'."
        )


def export(parts: Parts, name: str, path: Path) -> None:
    """Write the way from series (N, C, T) to scores (N,), scaling included, and compare both on random series.

    Args:
        parts: model, transform and detectors.
        name: of the detector.
        path: of the file.

    Raises:
        CannotExportError: when a step on the way has no counterpart in ONNX, or the file scores differently.
    """
    import onnx

    whole = _Path(parts, name)
    series = [_random_series(parts, n) for n in PROBED]
    try:
        with _silent():
            program = torch.onnx.export(
                whole,
                (torch.from_numpy(series[1]),),
                input_names=["x"],
                output_names=["score"],
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
                dynamo=True,
                verbose=False,
            )
            assert program is not None  # noqa: S101 - only the older exporter gives none
            graph = program.model_proto
        wanted = [PublishedDetector(parts, name).score(x) for x in series]
        content = _without_traces(graph).SerializeToString(deterministic=True)
        given = [_run(content, x) for x in series]
    except CannotExportError:
        raise
    except Exception as error:  # the exporter raises whatever a step raises that it cannot follow
        raise CannotExportError(
            f"The detector {name!r} cannot be written as ONNX: a step of it has no counterpart there "
            f"({type(error).__name__})."
        ) from error
    if not all(np.allclose(one, other, TOLERANCE, TOLERANCE) for one, other in zip(given, wanted, strict=True)):
        raise CannotExportError(f"The detector {name!r} cannot be written as ONNX: its scores would be others.")
    onnx.checker.check_model(content)
    with replacing(path) as temporary:
        temporary.write_bytes(content)


class _Path(nn.Module):
    """Scaling, model and scorer in one."""

    def __init__(self, parts: Parts, name: str) -> None:
        super().__init__()
        self.model, self.scorer = parts.model, _traceable(parts.judges[name].scorer)
        self.scaling = _Scaling(parts.transform)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T) in its own unit to (N,)."""
        return self.scorer.score(self.model, self.scaling(x))


class _WeightedSum:
    """What ``Combined`` computes with NumPy where its weighting is a sum."""

    def __init__(self, combined: Combined) -> None:
        self.parts = [_traceable(part) for part in combined.parts.values()]
        self.learned = {key: torch.from_numpy(value) for key, value in combined.weighting.state().items()}

    def score(self, model: nn.Module, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B,)."""
        parts = torch.stack([part.score(model, x).double() for part in self.parts], 1)
        standardized = (parts - self.learned["center"]) / self.learned["scale"]
        return (standardized * self.learned["weights"]).sum(1)


def _traceable(scorer: Scorer) -> Scorer | _WeightedSum:
    """A scorer that computes the same with tensors, where that is another one."""
    if isinstance(scorer, Combined) and type(scorer.weighting) in (Standardized, Grid):
        return _WeightedSum(scorer)
    return scorer


class _Scaling(nn.Module):
    """A transform made of tensor operations.

    Raises:
        CannotExportError: when there is no such form of it.
    """

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self.per_series = isinstance(transform, PerSeries)
        shift, scale, above = np.zeros(1, np.float32), np.ones(1, np.float32), 0.0
        if isinstance(transform, PerChannel):
            shift, scale = transform.affine()
            above = 0.0 if transform.value_range is None else transform.value_range[0]
        elif not isinstance(transform, (PerSeries, Identity)):
            raise CannotExportError(f"Scaling by {type(transform).__name__} cannot be written as ONNX.")
        self.above = above
        self.register_buffer("shift", torch.from_numpy(np.array(shift, np.float32))[:, None])
        self.register_buffer("scale", torch.from_numpy(np.array(scale, np.float32))[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """Scale (N, C, T)."""
        if not self.per_series:
            return (x - self.get_buffer("shift")) / self.get_buffer("scale") + self.above
        low = x.amin(2, keepdim=True)
        width = x.amax(2, keepdim=True) - low
        constant = width == 0
        scaled = (x - low) / torch.where(constant, torch.ones_like(width), width) * 2 - 1
        return torch.where(constant, torch.zeros_like(scaled), scaled)


def _random_series(parts: Parts, n: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Random walks in the unit of the training data; of several, the last channel of the last series is constant."""
    walks = np.random.default_rng(n).normal(size=(n, parts.channels, parts.seq_len)).cumsum(2) / parts.seq_len**0.5
    x = parts.transform.inverse(walks.astype(np.float32))
    if n > 1:
        x[-1, -1] = 0.5
    return np.ascontiguousarray(x, dtype=np.float32)


def _run(content: bytes, x: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["score"], {"x": x})[0], np.float64)


def _without_traces(model: Any) -> Any:
    """A graph without the places in source files that it came from, which differ between machines."""
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        for item in (*graph.node, *graph.value_info, *getattr(graph, "initializer", ())):
            item.doc_string = ""
            del item.metadata_props[:]
        for node in graph.node:
            graphs += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
        for item in (*getattr(graph, "input", ()), *getattr(graph, "output", ())):
            if hasattr(item, "metadata_props"):
                del item.metadata_props[:]
        del graph.metadata_props[:]
        graph.doc_string = ""
    del model.metadata_props[:]
    return model


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep the exporter's advice, meant for developers of models, off the screen."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(before)
