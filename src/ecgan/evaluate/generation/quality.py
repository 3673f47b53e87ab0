"""The quality of generated series, each number beside that of real series in their place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ecgan.errors import DataError
from ecgan.evaluate.generation.dtw import nearest_dtw
from ecgan.evaluate.generation.embedding import STEP, Embedding
from ecgan.evaluate.generation.frechet import frechet, frechet_replicates
from ecgan.evaluate.generation.mmd import Kernel, mmd2, mmd2_replicates, permutation_quantile
from ecgan.evaluate.generation.neighbors import Neighborhood, agreement, memory
from ecgan.evaluate.generation.resampling import NAN, interval, weighted_means
from ecgan.evaluate.generation.spectrum import periodograms, spectrum_distance, spectrum_replicates
from ecgan.evaluate.generation.utility import Utility, discriminative, told_apart, utility
from ecgan.types import BoolArray, FloatArray, IntArray

FARTHEST = 1e6
"""Generated values are cut off so many deviations of the training series away, so that nothing overflows."""
EMBEDDING_SEED = 0
"""The convolutions are the same in every judgement, whatever else is drawn."""
FIT_ON = 1000
"""Training series that the embedding is fitted on at least, where there are as many."""


@dataclass(frozen=True)
class Measure:
    """One measured quality.

    Attributes:
        value: of the generated series; NaN where undefined.
        low: lower end of its 95 % bootstrap interval; NaN without a bootstrap.
        high: upper end.
        reference: of as many training series in the place of the generated ones.
    """

    value: float
    low: float = NAN
    high: float = NAN
    reference: float = NAN


@dataclass(frozen=True)
class _Parts:
    """What the measures are computed from; ``known`` are as many training series as there are generated ones."""

    seen: Iterable[FloatArray]
    known: FloatArray
    held_out: FloatArray
    generated: FloatArray
    labels: tuple[IntArray, IntArray, IntArray] | None  # of known, held_out and generated, as are the features
    features: tuple[FloatArray, FloatArray, FloatArray]
    embedding: Embedding
    draws: int
    seed: int


def judge(
    train: FloatArray,
    held_out: FloatArray,
    generated: FloatArray,
    *,
    train_label: IntArray | None = None,
    held_out_label: IntArray | None = None,
    generated_label: IntArray | None = None,
    seen: Iterable[FloatArray] | None = None,
    bootstrap: int = 200,
    seed: int = 0,
    thorough: bool = True,
    max_series: int = 5000,
) -> dict[str, Measure]:
    """Measure how good generated series are, against held-out real ones.

    Generated series and an equal number of training series (the smaller of both numbers, drawn by seed) are measured
    against the held-out ones by the same rule; the latter gives the reference. No measure pairs single series of sets
    that are not paired.

    ================== ================================================================================================
    ``mmd``            squared MMD, see `mmd`
    ``mmd_null_95``    95 % quantile of the squared MMD of training and held-out series divided at random
    ``frechet``        squared Frechet distance in the embedding, see `frechet` and `embedding`
    ``precision``      share of generated series among the real ones, see `neighbors`
    ``recall``         share of real series among the generated ones
    ``density``        how densely real series surround the generated ones
    ``coverage``       share of real series with a generated one nearby
    ``spectrum``       distance of the mean power spectra, see `spectrum`
    ``dtw``            mean DTW distance of generated series to the nearest held-out one, see `dtw`
    ``discriminative`` how well real and generated series are told apart, see `utility`
    ``memorized``      share of generated series nearer to a training series than 95 % of the held-out ones are
    ``tstr_f1``        macro F1 on held-out series after training on generated ones
    ``tstr_auroc``     macro AUROC of the same
    ``trts_f1``        macro F1 on generated series after training on real ones
    ``trts_auroc``     macro AUROC of the same
    ================== ================================================================================================

    The last four are NaN without labels. Their reference is training on training series and testing on held-out ones.
    Intervals resample both sets (MMD, Frechet, spectrum), the series that are averaged (neighbors, DTW, discriminative,
    memorized) or the tested ones (TSTR, TRTS).

    Args:
        train: series (N, C, T) the generator was trained on.
        held_out: real series (H, C, T) it has not seen.
        generated: series (M, C, T).
        train_label: classes (N,), for a conditional generator.
        held_out_label: classes (H,).
        generated_label: classes (M,) that the generator was asked for.
        seen: all training series in pieces (n, C, T) where ``train`` holds but some of them, for ``memorized``.
        bootstrap: number of resamplings.
        seed: of every draw.
        thorough: False leaves out all intervals and the measures from ``dtw`` on, and ``mmd_null_95``; that takes a
            fraction of the time.
        max_series: series of each set used at most, but all training series for ``memorized``.

    Raises:
        DataError: when series are missing, not finite, or of different shapes.
    """
    _check(train, held_out, generated)
    labels = (train_label, held_out_label, generated_label)
    parts = _parts(train, held_out, generated, labels, bootstrap if thorough else 0, seed, max_series)
    parts = parts if seen is None else replace(parts, seen=seen)
    measures = _distances(parts) | _neighbors(parts)
    if thorough:
        measures |= _null(parts) | _singles(parts) | _utilities(parts)
    return measures


def _check(train: FloatArray, held_out: FloatArray, generated: FloatArray) -> None:
    for name, x in (("training", train), ("held-out", held_out), ("generated", generated)):
        if not len(x):
            raise DataError(f"There are no {name} series to judge generated series with.")
        if x.shape[1:] != train.shape[1:]:
            raise DataError(f"The {name} series have shape {x.shape[1:]}, the training series {train.shape[1:]}.")
        bad = sum(int((~np.isfinite(x[i : i + STEP])).any(axis=(1, 2)).sum()) for i in range(0, len(x), STEP))
        if bad:
            raise DataError(f"{bad} of {len(x)} {name} series hold NaN or infinite values and cannot be judged.")


def _parts(
    train: FloatArray,
    held_out: FloatArray,
    generated: FloatArray,
    labels: tuple[IntArray | None, IntArray | None, IntArray | None],
    draws: int,
    seed: int,
    most: int,
) -> _Parts:
    n = min(len(train), len(generated), most)
    rng = np.random.default_rng(seed)
    of_train, of_held_out = rng.permutation(len(train))[: max(n, FIT_ON)], rng.permutation(len(held_out))[:most]
    of_generated = rng.permutation(len(generated))[:n]
    reference, unseen = train[of_train], held_out[of_held_out]
    center, deviation = float(reference.mean(dtype=np.float64)), float(reference.std(dtype=np.float64)) or 1.0
    fake = generated[of_generated].clip(center - FARTHEST * deviation, center + FARTHEST * deviation)
    embedding = Embedding(reference, seed=EMBEDDING_SEED)
    features = embedding.reference_features[:n], embedding.features(unseen), embedding.features(fake)
    a, b, c = labels
    given = None if a is None or b is None or c is None else (a[of_train[:n]], b[of_held_out], c[of_generated])
    return _Parts([train], reference[:n], unseen, fake, given, features, embedding, draws, seed)


def _distances(parts: _Parts) -> dict[str, Measure]:
    """The measures that compare whole sets."""
    known, real, fake, draws, seed = parts.known, parts.held_out, parts.generated, parts.draws, parts.seed
    kernel = Kernel(known, seed=seed)
    a, b, c = (parts.embedding.project(features) for features in parts.features)
    p, q, r = (periodograms(x) for x in (known, real, fake))
    nothing = np.empty(0)
    mmd = mmd2_replicates(kernel, fake, real, draws, seed) if draws else nothing
    apart = frechet_replicates(c, b, draws, seed) if draws else nothing
    spectrum = spectrum_replicates(r, q, draws, seed) if draws else nothing
    return {
        "mmd": _measure(mmd2(kernel, fake, real), mmd2(kernel, known, real), mmd),
        "frechet": _measure(frechet(c, b), frechet(a, b), apart, 0),
        "spectrum": _measure(spectrum_distance(r, q), spectrum_distance(p, q), spectrum, 0, 1),
    }


def _neighbors(parts: _Parts) -> dict[str, Measure]:
    """The measures of nearest neighbors: means over series."""
    real = Neighborhood(parts.held_out)
    value = agreement(real, Neighborhood(parts.generated))
    reference = agreement(real, Neighborhood(parts.known))
    return {
        "precision": _mean(value.precision, reference.precision, parts),
        "recall": _mean(value.recall, reference.recall, parts),
        "density": _mean(value.density, reference.density, parts, np.inf),
        "coverage": _mean(value.coverage, reference.coverage, parts),
    }


def _null(parts: _Parts) -> dict[str, Measure]:
    kernel = Kernel(parts.known, seed=parts.seed)
    return {"mmd_null_95": Measure(permutation_quantile(kernel, parts.known, parts.held_out, seed=parts.seed))}


def _singles(parts: _Parts) -> dict[str, Measure]:
    """The other measures that have a value for each series."""
    warped = nearest_dtw(parts.generated, parts.held_out, seed=parts.seed)
    warped_known = nearest_dtw(parts.known, parts.held_out, seed=parts.seed)
    learned = memory(parts.seen, parts.held_out, parts.generated, seed=parts.seed)
    known, real, fake = parts.features
    right = told_apart(real, fake, seed=parts.seed)
    return {
        "dtw": _mean(warped, warped_known, parts, np.inf),
        "memorized": _mean(learned.memorized.astype(np.float64), np.array([learned.reference]), parts),
        "discriminative": _discriminative(right, told_apart(real, known, seed=parts.seed), parts),
    }


def _utilities(parts: _Parts) -> dict[str, Measure]:
    """What a classifier learns from generated series, and what one that learned from real ones finds in them."""
    if parts.labels is None:
        return {name: Measure(NAN) for name in ("tstr_f1", "tstr_auroc", "trts_f1", "trts_auroc")}
    known, real, fake = zip(parts.features, parts.labels, strict=True)
    reference = utility(*known, *real)
    tstr, trts = (utility(*a, *b, draws=parts.draws, seed=parts.seed) for a, b in ((fake, real), (known, fake)))
    return _utility("tstr", tstr, reference) | _utility("trts", trts, reference)


def _utility(name: str, found: Utility, reference: Utility) -> dict[str, Measure]:
    return {
        f"{name}_f1": _measure(found.f1, reference.f1, found.f1_replicates, 0, 1),
        f"{name}_auroc": _measure(found.auroc, reference.auroc, found.auroc_replicates, 0, 1),
    }


def _discriminative(right: BoolArray, reference: BoolArray, parts: _Parts) -> Measure:
    """The interval of the accuracy, folded at one half as the score is."""
    value = discriminative(right)
    accuracy = _mean(right.astype(np.float64), reference, parts)
    low, high = accuracy.low - 0.5, accuracy.high - 0.5
    return Measure(value, max(0.0, low, -high), max(abs(low), abs(high)), discriminative(reference))


def _mean(values: FloatArray, reference: FloatArray | BoolArray, parts: _Parts, most: float = 1) -> Measure:
    replicates = weighted_means(values, parts.draws, parts.seed) if parts.draws and len(values) else np.empty(0)
    value, expected = (float(x.mean()) if len(x) else NAN for x in (values, reference))
    return _measure(value, expected, replicates, 0, most)


def _measure(
    value: float, reference: float, replicates: FloatArray, least: float = -np.inf, most: float = np.inf
) -> Measure:
    return Measure(value, *interval(value, replicates, least, most), reference)
