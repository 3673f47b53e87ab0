"""BeatGAN's beats: the authors' arrays, and the same rebuilt from MIT-BIH."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecgan.data.sources import mitbih_beatgan
from ecgan.data.sources.mitbih import MITBIH
from ecgan.data.sources.mitbih_beatgan import FOLDER, MITBIHBeatGAN, _AuthorsBeats, _RebuiltBeats, band_passed
from ecgan.errors import ConfigError, DataError
from ecgan.preprocess import rpeaks
from ecgan.preprocess.rpeaks import corrected_peaks, hamilton_peaks
from ecgan.testing import check_source
from ecgan.types import TEST, FloatArray

FS = 360
EVERY = 300


def arrays(raw: Path, counts: dict[str, int]) -> None:
    raw.mkdir(parents=True)
    for number, (name, count) in enumerate(counts.items()):
        np.save(raw / f"{name}_samples.npy", np.full((count, 2, 320), float(number)))


def heart(length: int = 20 * FS) -> FloatArray:
    """Upright QRS complexes every 300 samples from sample 150 on, each followed by a broad T wave; and slow drift."""
    t = np.arange(length)
    x = 0.3 * np.sin(t / 500)
    for center in range(150, length, EVERY):
        x += np.exp(-0.5 * ((t - center) / 5) ** 2) - 0.2 * np.exp(-0.5 * ((t - center - 12) / 5) ** 2)
        x += 0.25 * np.exp(-0.5 * ((t - center - 100) / 20) ** 2)
    return x


def test_origin_is_chosen_by_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"N": 4, "S": 3, "V": 2, "F": 2, "Q": 1}
    arrays(tmp_path / "mirror" / FOLDER / "raw", counts)
    roots = [tmp_path / "data", tmp_path / "mirror"]
    chosen = MITBIHBeatGAN().settled(roots)
    assert (chosen.folder, chosen.version) == ("mitbih", "1-physionet, windows 1, R peaks 1"), (
        "a subset is not taken unasked"
    )
    monkeypatch.setattr(mitbih_beatgan, "COUNTS", counts)
    chosen = MITBIHBeatGAN().settled(roots)
    assert (chosen.folder, chosen.version) == (FOLDER, "1-authors")
    assert MITBIHBeatGAN("physionet").settled(roots).folder == "mitbih"
    (roots[1] / FOLDER / "raw" / "Q_samples.npy").write_bytes(b"junk")
    assert MITBIHBeatGAN().settled(roots).folder == "mitbih"
    assert MITBIHBeatGAN("authors").settled(roots).folder == FOLDER
    with pytest.raises(ConfigError, match="valid are auto, authors, physionet"):
        MITBIHBeatGAN("kaggle")  # type: ignore[arg-type]


def test_the_first_folder_with_all_arrays_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    counts = {"N": 4, "S": 3, "V": 2, "F": 2, "Q": 1}
    monkeypatch.setattr(mitbih_beatgan, "COUNTS", counts)
    data, mirror = tmp_path / "data", tmp_path / "mirror"
    arrays(data / FOLDER / "raw", counts | {"N": 3})
    arrays(mirror / FOLDER / "raw", counts)
    caplog.set_level(logging.INFO)
    assert MITBIHBeatGAN().settled([data, mirror]).folder == "mitbih", "a subset would be read from the first folder"
    assert f"the arrays in {data / FOLDER / 'raw'} are a subset" in caplog.text
    (data / FOLDER / "raw" / "Q_samples.npy").unlink()
    assert MITBIHBeatGAN().settled([data, mirror]).folder == FOLDER, "four of five are not read at all"


def test_the_version_names_those_of_the_functions_used() -> None:
    assert _RebuiltBeats.version.endswith(f"windows {MITBIH.version}, R peaks {rpeaks.VERSION}")


def test_authors_arrays_are_read_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mitbih_beatgan, "CHUNK", 3)
    raw = tmp_path / "raw"
    arrays(raw, {"N": 4, "S": 3, "V": 1, "F": 1, "Q": 1})
    source = _AuthorsBeats()
    assert len(source.found(raw)) == 5
    chunks = [source.read(raw, piece) for piece in source.pieces(raw)]
    assert [chunk.y.tolist() for chunk in chunks] == [[0, 0, 0], [0], [1, 1, 1], [2], [3], [4]]
    assert all(np.asarray(chunk.x).shape[1:] == (2, 320) and chunk.group is None for chunk in chunks)
    assert [np.unique(chunk.x).tolist() for chunk in chunks] == [[0], [0], [1], [2], [3], [4]]


def test_wrong_arrays_get_a_sentence(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    arrays(raw, {"N": 2, "S": 2, "V": 2, "F": 2, "Q": 2})
    source = _AuthorsBeats()
    x = np.zeros((2, 2, 320))
    x[1, 0, 5] = np.inf
    np.save(raw / "V_samples.npy", x)
    with pytest.raises(DataError, match=r"V_samples\.npy has NaN or infinite values in row 1"):
        source.read(raw, ("V", 0))
    np.save(raw / "V_samples.npy", np.zeros((2, 320)))
    with pytest.raises(DataError, match=r"V_samples\.npy is no array of floats of shape \(beats, 2, 320\)"):
        source.pieces(raw)
    np.save(raw / "V_samples.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match=r"V_samples\.npy is no array"):
        source.pieces(raw)
    (raw / "V_samples.npy").unlink()
    assert source.found(raw) == ()


@pytest.mark.parametrize("sign", [1, -1])
def test_detector_finds_every_complex_and_no_t_wave(sign: int) -> None:
    x = band_passed(sign * heart()[None])[0]
    peaks = hamilton_peaks(x, FS)
    wanted = np.arange(150, len(x), EVERY)
    assert len(peaks) == len(wanted)
    assert np.abs(peaks - wanted).max() <= 3, "the polarity that stands out is found"


def scaled(x: FloatArray, factors: dict[int, float]) -> FloatArray:
    x = x.copy()
    for beat, factor in factors.items():
        x[150 + beat * EVERY - 60 : 150 + beat * EVERY + 60] *= factor
    return band_passed(x[None])[0]


@pytest.mark.parametrize(
    ("factors", "found"),
    [({20: 0.5}, True), ({20: 0.42}, False), ({19: 0.0, 20: 0.42}, True), ({19: 0.0, 20: 0.15}, False)],
)
def test_weak_complexes_are_found_when_they_are_overdue(factors: dict[int, float], found: bool) -> None:
    x = scaled(heart(30 * FS), factors)
    distance = np.abs(hamilton_peaks(x, FS) - (150 + 20 * EVERY)).min()
    assert distance == (pytest.approx(0, abs=3) if found else pytest.approx(EVERY, abs=3))


def test_silence_has_no_peaks() -> None:
    assert hamilton_peaks(np.zeros(10 * FS), FS).size == 0


def test_corrected_peaks_move_to_the_maximum() -> None:
    x = np.zeros(100)
    x[[30, 60]] = 1
    assert corrected_peaks(x, np.array([5, 25, 35, 70, 98]), 10).tolist() == [30, 60]


def test_rebuilt_beats_of_a_small_record(tmp_path: Path) -> None:
    x = heart()
    signal = np.stack([0.5 * x, x], axis=1)
    digital = np.round(200 * signal).astype(int)
    wfdb.wrsamp(
        "100",
        fs=FS,
        units=["mV"] * 2,
        sig_name=["V5", "MLII"],
        d_signal=digital,
        fmt=["212"] * 2,
        adc_gain=[200] * 2,
        baseline=[0] * 2,
        write_dir=str(tmp_path),
    )
    marks = {100: "N", 449: "N", 765: "N", 1049: "e", 1370: "V", 1500: "+", 7100: "V"}
    wfdb.wrann("100", "atr", np.array(list(marks)), list(marks.values()), write_dir=str(tmp_path))
    source = _RebuiltBeats()
    (piece,) = source.pieces(tmp_path)
    beats = source.read(tmp_path, piece)
    assert beats.y.tolist() == [0, 1, 2], "a normal beat far from a peak goes, others stay; e is in S"
    assert beats.dropped == {"with a window that leaves the record": 2, "normal without a detected R peak nearby": 1}
    filtered = band_passed(digital.T[::-1] / 200)
    assert np.array_equal(np.asarray(beats.x)[0], filtered[:, 450 - 140 : 450 + 180]), "MLII first, counted from one"
    assert (beats.x[0].dtype, beats.group.tolist(), beats.part.tolist()) == (np.float64, [100] * 3, [TEST] * 3)  # type: ignore[union-attr]


def rows(x: FloatArray) -> FloatArray:
    flat = x.reshape(len(x), -1)
    return flat[np.lexsort(np.round(flat[:, :8], 9).T)]


def test_rebuilt_beats_equal_the_authors(mirror: Path) -> None:
    from scipy.spatial import cKDTree

    raw, theirs = mirror / "mitbih" / "raw", mirror / FOLDER / "raw"
    if not raw.is_dir() or not theirs.is_dir():
        pytest.skip(f"the mirror {mirror} has no mitbih/raw or no {FOLDER}/raw")
    source = _RebuiltBeats()
    kept: dict[int, list[FloatArray]] = {0: [], 2: [], 3: [], 4: []}
    counts = np.zeros(5, np.int64)
    for piece in source.pieces(raw):
        beats = source.read(raw, piece)
        counts += np.bincount(beats.y, minlength=5)
        for label, found in kept.items():
            x = np.asarray(beats.x)[beats.y == label]
            # of N and V eight values tell beats apart; all of them in float64 would fill the memory
            found.append(x if label > 2 else x[:, :, 138:142].reshape(len(x), 8))
    assert counts.tolist() == list(source.expected.values()) == [86717, 3026, 7008, 802, 15]
    for label, name in ((3, "F"), (4, "Q")):
        mine, real = np.concatenate(kept[label]), np.load(theirs / f"{name}_samples.npy")
        assert np.abs(rows(mine) - rows(real)).max() < 1e-12
    for label, name in ((0, "normal"), (2, "abnormal")):
        demo = np.load(theirs / "demo" / f"{name}_samples.npy")[:, :, 138:142].reshape(-1, 8)
        assert len(demo) == 64
        assert cKDTree(np.concatenate(kept[label])).query(demo)[0].max() < 1e-12


def test_the_mirror_s_arrays_are_a_subset(mirror: Path) -> None:
    raw = mirror / FOLDER / "raw"
    if not raw.is_dir():
        pytest.skip(f"the mirror {mirror} has no {FOLDER}/raw")
    source = _AuthorsBeats()
    read = [source.read(raw, piece) for piece in source.pieces(raw)]
    counts = np.bincount(np.concatenate([chunk.y for chunk in read])).tolist()
    assert counts == [2000, 800, 800, 802, 15]
    assert counts != list(source.expected.values())
    assert MITBIHBeatGAN().settled([mirror]).folder == "mitbih"


def test_the_battery(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    arrays(raw, {"N": 4, "S": 3, "V": 1, "F": 1, "Q": 1})
    check_source(_AuthorsBeats, raw)
