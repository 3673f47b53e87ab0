"""Motion capture: the files of BeatGAN's authors, and the database's own skeletons and motions."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ecgan.data.formats.acclaim import read_angles, read_skeleton
from ecgan.data.sources.cmu_mocap import ANGLES, FRAMES, CMUMoCap
from ecgan.errors import ConfigError, DataError
from ecgan.testing import check_source
from ecgan.types import TEST, TRAIN, FloatArray, Recordings

SKELETON = """# a comment
:version 1.10
:name VICON
:units
  mass 1.0
  angle deg
:bonedata
  begin
     id 1
     name lhipjoint
     length 2.6
  end
  begin
     id 2
     name lfemur
    dof rx ry rz
    limits (-160.0 20.0)
           (-70.0 70.0)
           (-60.0 70.0)
  end
  begin
     name rfemur
    dof rz rx
  end
  begin
     name lhumerus
    dof rx ry rz
  end
  begin
     name rhumerus
    dof rx
  end
:hierarchy
  begin
    root lhipjoint
  end
"""


def motion(angles: FloatArray) -> str:
    """A motion in the layout of the database: windows line ends, and bones that nobody asks for."""
    lines = ["#!OML:ASF F:\\VICON\\x.ASF", ":FULLY-SPECIFIED", ":DEGREES"]
    for number, (left_arm, right_arm, left, right) in enumerate(angles.T.tolist(), 1):
        lines += [str(number), "root 1 2 3 4 5 6", f"rhumerus {right_arm}", f"lhumerus {left_arm} 7 8"]
        lines += [f"lfemur {left} 9 -3.2e-015", f"rfemur 5 {right}"]
    return "\r\n".join(lines) + "\r\n"


def angles(frames: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(0, 30, (4, frames)).round(4)


def put(raw: Path, name: str, text: str) -> Path:
    (raw / name).parent.mkdir(parents=True, exist_ok=True)
    (raw / name).write_text(text, newline="")
    return raw / name


def put_columns(raw: Path, name: str, x: FloatArray) -> Path:
    return put(raw, name, "".join(" ".join(f"{value:.6f}" for value in frame) + "\n" for frame in x.T))


def trials(source: CMUMoCap, raw: Path) -> dict[str, Recordings]:
    return {piece: source.read(raw, piece) for piece in source.pieces(raw)}


def test_windows_of_each_form_are_those_of_the_trial(tmp_path: Path) -> None:
    x = angles(40)
    put_columns(tmp_path, "walk/35_01.amc.4d", x)
    put(tmp_path, "subjects/35/35.asf", SKELETON)
    put(tmp_path, "subjects/35/35_15.amc", motion(x))
    source = CMUMoCap(window=16, step=8)
    assert source.found(tmp_path) == ("walk/35_01.amc.4d", "subjects/35/35.asf", "subjects/35/35_15.amc")
    read = trials(source, tmp_path)
    for name, part in (("35_01", TRAIN), ("35_15", TEST)):
        chunk = read[name]
        # a fourth window would begin at frame 24 and reach the last frame, which the authors never do
        assert np.array_equal(chunk.x, np.stack([x[:, start : start + 16] for start in (0, 8, 16)]).astype(np.float32))
        assert (chunk.fs_hz, chunk.unit, chunk.y.tolist()) == (120.0, "deg", [0, 0, 0])
        assert np.asarray(chunk.part).tolist() == [part] * 3
        assert np.asarray(chunk.group).tolist() == [int(name.replace("_", ""))] * 3


def test_files_of_the_authors_are_preferred(tmp_path: Path) -> None:
    put_columns(tmp_path, "other/49_02.amc.4d", angles(20, seed=1))
    put(tmp_path, "subjects/49/49.asf", SKELETON)
    put(tmp_path, "subjects/49/49_02.amc", motion(angles(20, seed=2)))
    source = CMUMoCap(window=4)
    assert source.found(tmp_path) == ("other/49_02.amc.4d",)
    chunk = trials(source, tmp_path)["49_02"]
    assert np.array_equal(chunk.x[0], angles(20, seed=1)[:, :4].astype(np.float32))
    assert chunk.y.tolist() == [2] * len(chunk.y)


def test_nothing_is_found_without_trials_or_without_their_skeleton(tmp_path: Path) -> None:
    assert CMUMoCap().found(tmp_path) == ()
    put(tmp_path, "subjects/35/35_15.amc", motion(angles(9)))
    assert CMUMoCap().found(tmp_path) == ()


def test_classes_and_parts_of_all_trials(tmp_path: Path) -> None:
    for trial in FRAMES:
        number = int(trial[3:])
        folder = "other" if trial == "49_02" else "walk" if number <= 16 else "run"
        put_columns(tmp_path, f"{folder}/{trial}.amc.4d", angles(7))
    read = trials(CMUMoCap(window=6), tmp_path)
    assert [int(chunk.y[0]) for chunk in read.values()] == [0] * 16 + [1] * 10 + [2]
    assert [int(np.asarray(chunk.part)[0]) for chunk in read.values()] == [TRAIN] * 14 + [TEST] * 13
    assert len({int(np.asarray(chunk.group)[0]) for chunk in read.values()}) == 27


def test_a_trial_too_short_for_a_window_is_counted(tmp_path: Path) -> None:
    put_columns(tmp_path, "walk/35_01.amc.4d", angles(64))
    chunk = trials(CMUMoCap(), tmp_path)["35_01"]
    assert (len(chunk.y), chunk.x[:0].shape if isinstance(chunk.x, np.ndarray) else None) == (0, (0, 4, 64))
    assert chunk.dropped == {"trial no longer than a window": 1}


def test_what_is_expected_follows_the_settings() -> None:
    assert CMUMoCap().expected == {"walk": 1125, "jog": 199, "jump": 405}
    assert CMUMoCap(window=64, step=2000).expected == {"walk": 16, "jog": 10, "jump": 2}
    assert CMUMoCap(window=400, step=1).expected["jog"] == 0
    for settings in ({"window": 0}, {"step": 0}):
        with pytest.raises(ConfigError, match=r"dataset\.window and dataset\.step must be at least 1"):
            CMUMoCap(**settings)


def test_download_is_of_the_database_itself() -> None:
    files = {file.name: file.url for file in CMUMoCap().files(Path())}
    assert len(files) == 29
    assert files["subjects/49/49_02.amc"] == "http://mocap.cs.cmu.edu/subjects/49/49_02.amc"
    assert {"subjects/35/35.asf", "subjects/49/49.asf", "subjects/35/35_26.amc"} <= set(files)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1 2 3 4\n1 2 3\n", r"has 3 columns in row 2 instead of 4"),
        ("1 2 3 4\n1 2 x 4\n", r"has 'x' in row 2, column 3"),
        ("1 2 3 inf\n", r"has 'inf' in row 1, column 4"),
        ("", r"is empty"),
    ],
)
def test_faults_of_the_authors_files_are_placed(tmp_path: Path, text: str, fault: str) -> None:
    put(tmp_path, "walk/35_02.amc.4d", text)
    with pytest.raises(DataError, match=rf"35_02\.amc\.4d {fault}") as caught:
        CMUMoCap().read(tmp_path, "35_02")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("lfemur 1.0 9", "lfemur 1.0", r"has 2 values of lfemur in line 8 instead of 3"),
        ("lfemur 1.0 9", "lfemur a 9", r"has no numbers in line 8 .*'a'"),
        ("lfemur 1.0 9", "lfemur nan 9", r"has a value that is not finite in line 8"),
        ("lfemur 1.0 9", "ltibia 1.0 9", r"has no lfemur in the frame that ends before line 10"),
        ("\n2\r\n", "\n3\r\n", r"has '3' in line 10, not frame 2"),
        ("\n1\r\n", "\n", r"has values before the first frame in line 5"),
        (":DEGREES", ":RADIANS", r"has angles in radians \(line 3\)"),
    ],
)
def test_faults_of_a_motion_are_placed(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = motion(np.ones((4, 2)))
    assert old in text
    path = put(tmp_path, "x.amc", text.replace(old, new, 1))
    skeleton = read_skeleton(put(tmp_path, "x.asf", SKELETON))
    with pytest.raises(DataError, match=fault) as caught:
        read_angles(path, skeleton, ANGLES)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_motion_that_ends_in_the_middle_of_a_frame_is_refused(tmp_path: Path) -> None:
    text = motion(np.ones((4, 2)))
    skeleton = read_skeleton(put(tmp_path, "x.asf", SKELETON))
    with pytest.raises(DataError, match="has no rfemur in the frame"):
        read_angles(put(tmp_path, "x.amc", text[: text.rindex("rfemur")]), skeleton, ANGLES)
    with pytest.raises(DataError, match="has no frames"):
        read_angles(put(tmp_path, "y.amc", ":DEGREES\n"), skeleton, ANGLES)
    with pytest.raises(DataError, match="cannot be read"):
        read_angles(tmp_path / "z.amc", skeleton, ANGLES)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("angle deg", "angle rad", r"has angles in 'rad' in line 6"),
        ("     name lfemur\n", "", r"degrees of freedom without a bone in line 15"),
        ("dof rz rx", "dof rz", r"The skeleton of .* has no rx of rfemur"),
        ("name", "label", r"has degrees of freedom without a bone in line 16"),
        ("dof", "degrees", r"names no bone with a degree of freedom"),
    ],
)
def test_faults_of_a_skeleton_are_told(tmp_path: Path, old: str, new: str, fault: str) -> None:
    path = put(tmp_path, "x.asf", SKELETON.replace(old, new))
    with pytest.raises(DataError, match=fault):
        read_angles(put(tmp_path, "x.amc", motion(np.ones((4, 2)))), read_skeleton(path), ANGLES)


def test_counts_of_the_real_files(mirror: Path) -> None:
    raw = mirror / "cmu_mocap" / "raw"
    source = CMUMoCap()
    read = trials(source, raw)
    assert len(source.found(raw)) == 27
    counts = {name: len(chunk.y) for name, chunk in read.items()}
    names = list(FRAMES)
    sums = [sum(counts[name] for name in part) for part in (names[:14], names[14:16], names[16:26], names[26:])]
    assert sums == [980, 145, 199, 405]
    y = np.concatenate([chunk.y for chunk in read.values()])
    assert dict(zip(source.classes, np.bincount(y).tolist(), strict=True)) == source.expected
    assert sum(int((np.asarray(chunk.part) == TRAIN).sum()) for chunk in read.values()) == 980


def test_both_forms_of_a_real_trial_agree(mirror: Path, tmp_path: Path) -> None:
    raw = mirror / "cmu_mocap" / "raw"
    for name in ("subjects/35/35.asf", "subjects/35/35_01.amc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(raw / name, tmp_path / name)
    angles = read_angles(raw / "subjects/35/35_01.amc", read_skeleton(raw / "subjects/35/35.asf"), ANGLES)
    columns = np.loadtxt(raw / "walk/35_01.amc.4d").T
    assert angles.shape == columns.shape == (4, 358)
    assert np.abs(angles - columns).max() <= 5e-7
    source = CMUMoCap()
    assert source.pieces(tmp_path) == ["35_01"]
    assert np.allclose(source.read(tmp_path, "35_01").x, source.read(raw, "35_01").x, atol=1e-5)


def test_the_battery(tmp_path: Path) -> None:
    put_columns(tmp_path, "walk/35_01.amc.4d", angles(40))
    put(tmp_path, "subjects/35/35.asf", SKELETON)
    put(tmp_path, "subjects/35/35_15.amc", motion(angles(40)))
    check_source(lambda: CMUMoCap(window=16, step=8), tmp_path)
