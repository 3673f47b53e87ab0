"""Spectra of series."""

from __future__ import annotations

import numpy as np
import pytest

from ecgan.data.transforms.fourier import Fourier


@pytest.mark.parametrize("length", [1, 2, 15, 16])
def test_spectra_are_numpy_s_and_keep_sums_of_squares(length: int) -> None:
    x = np.random.default_rng(0).normal(3, 2, (6, 2, length)).astype(np.float32)
    transform = Fourier()
    transform.fit([x])
    y = transform(x)
    assert np.allclose((y**2).sum(axis=(1, 2)), (x**2).sum(axis=(1, 2)), rtol=1e-5)
    reference = np.fft.rfft(x, axis=2) / np.sqrt(length)
    inner = slice(1, (length + 1) // 2)  # those that occur twice in the full transform
    assert np.allclose(y[:, :2, inner], reference.real[..., inner] * np.sqrt(2), atol=1e-4)
    assert np.allclose(y[:, 2:, inner], reference.imag[..., inner] * np.sqrt(2), atol=1e-4)
    assert np.allclose(y[:, :2, 0], reference.real[..., 0], atol=1e-4)


def test_a_sine_has_one_frequency() -> None:
    t = np.arange(32) / 32
    x = np.stack([np.cos(2 * np.pi * 3 * t), np.sin(2 * np.pi * 5 * t)])[None].astype(np.float32)
    transform = Fourier()
    transform.fit([x])
    y = transform(x)[0]
    assert y.shape == (4, 17)
    assert [np.argmax(np.abs(row)).item() for row in (y[0], y[3])] == [3, 5]
    assert np.allclose([y[0, 3], y[3, 5]], [4, -4], atol=1e-5)
    assert np.abs(y).sum() == pytest.approx(8, abs=1e-4)
