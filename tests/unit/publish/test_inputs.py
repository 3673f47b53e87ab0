"""A user's series in every format, in blocks of any size, and a sentence for everything that can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecgan.errors import DataError
from ecgan.generate.writing import Description, write_series
from ecgan.publish.inputs import Incoming, open_series

X = np.random.default_rng(0).normal(size=(7, 2, 16)).astype(np.float32)


def read(incoming: Incoming, size: int = 3) -> np.ndarray:
    blocks = list(incoming.blocks(size))
    assert all(len(block) == size for block in blocks[:-1])
    assert all(block.dtype == np.float32 for block in blocks)
    return np.concatenate(blocks)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("kind", ["<f4", "<f8", ">f4", "<f2"])
def test_npy(tmp_path: Path, kind: str, size: int) -> None:
    np.save(tmp_path / "x.npy", X.astype(kind))
    incoming = open_series(tmp_path / "x.npy", 2)
    assert (incoming.shape, incoming.fs_hz) == ((7, 2, 16), None)
    assert np.array_equal(read(incoming, size), X.astype(kind).astype(np.float32))
    assert np.array_equal(read(incoming, size), X.astype(kind).astype(np.float32))  # once more from the start


def test_npy_of_one_channel_without_its_axis(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X[:, 0])
    incoming = open_series(tmp_path / "x.npy", 1)
    assert incoming.shape == (7, 1, 16)
    assert np.array_equal(read(incoming), X[:, :1])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "a.npz", signals=X)
    assert np.array_equal(read(open_series(tmp_path / "a.npz", 2)), X)
    save(tmp_path / "b.npz", x=X, fs_hz=np.array(250.0), label=np.zeros(7))
    incoming = open_series(tmp_path / "b.npz", 2)
    assert incoming.fs_hz == 250.0
    assert np.array_equal(read(incoming), X)
    save(tmp_path / "c.npz", x=X, fs_hz=np.array(np.nan))
    assert open_series(tmp_path / "c.npz", 2).fs_hz is None
    save(tmp_path / "d.npz", a=X, b=X)
    with pytest.raises(DataError, match="holds the arrays a, b; call that of the series 'x'"):
        open_series(tmp_path / "d.npz", 2)


@pytest.mark.parametrize("ending", [".npz", ".csv", ""])
@pytest.mark.parametrize("classes", [None, ("normal", "odd")])
def test_what_ecgan_generate_writes_can_be_read(tmp_path: Path, ending: str, classes: tuple[str, ...] | None) -> None:
    label = None if classes is None else np.arange(7) % 2
    path = tmp_path / f"series{ending}"
    write_series(path, [(X, label)], Description(7, 2, 16, "mV", 250.0, classes))
    incoming = open_series(path, 1 if ending == ".csv" else 2)
    assert incoming.shape[1:] == (2, 16)
    assert incoming.fs_hz == (None if ending == ".csv" else 250.0)
    assert np.allclose(read(incoming), X, atol=0 if ending else 2e-4)  # WFDB rounds to 16 bits


def test_one_record_by_any_of_its_names(tmp_path: Path) -> None:
    write_series(tmp_path / "series", [(X, None)], Description(7, 2, 16, "mV", 250.0))
    for name in ("3", "3.hea", "3.dat"):
        incoming = open_series(tmp_path / "series" / name, 2)
        assert (incoming.shape, incoming.fs_hz) == ((1, 2, 16), 250.0)
        assert np.allclose(read(incoming), X[3:4], atol=2e-4)


def test_csv_without_names(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "x.csv", X.reshape(7, 32), delimiter=",", fmt="%.9g")
    assert np.array_equal(read(open_series(tmp_path / "x.csv", 2)), X)
    assert np.array_equal(read(open_series(tmp_path / "x.csv", 1)), X.reshape(7, 1, 32))


def test_csv_with_names_of_its_own(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{','.join(map(repr, map(float, series)))},0" for i, series in enumerate(X.reshape(7, 32)))
    names = ",".join(f"s{i}" for i in range(32))
    (tmp_path / "x.csv").write_text(f"\ufeffindex,{names},label\r\n{rows}\n", encoding="utf-8")
    assert np.array_equal(read(open_series(tmp_path / "x.csv", 2)), X)


def test_a_missing_cell_is_nan(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2,3\n4,,6\n")
    assert np.isnan(read(open_series(tmp_path / "x.csv", 1))[1, 0]).tolist() == [False, True, False]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def fortran(path: Path) -> None:
    np.save(path, np.asfortranarray(X))


def objects(path: Path) -> None:
    np.save(path, np.array([None, X], dtype=object), allow_pickle=True)


WRONG: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no file": ("x.npy", str, "There is no file"),
    "no record": ("x", str, "no WFDB record of this name"),
    "another ending": ("x.txt", lambda path: path.write_text("1"), "no .npy, .npz or .csv file"),
    "folder": ("x", Path.mkdir, "is a folder without a list of WFDB records"),
    "text as npy": ("x.npy", lambda path: path.write_text("text" * 9), "is damaged or no .npy file"),
    "empty npy": ("x.npy", lambda path: path.write_text(""), "is damaged or no .npy file"),
    "text as npz": ("x.npz", lambda path: path.write_text("text"), "is damaged or no .npz file"),
    "objects": ("x.npy", objects, "values of the type object"),
    "text inside": ("x.npy", lambda path: np.save(path, np.array(["a"])), "give an array of real numbers"),
    "column by column": ("x.npy", fortran, "save numpy.ascontiguousarray"),
    "empty csv": ("x.csv", lambda path: path.write_text(""), "the input is empty"),
    "uneven csv": ("x.csv", lambda path: path.write_text("1,2,3\n"), "3 values per row, which 2 channels cannot share"),
    "disordered csv": ("x.csv", lambda path: path.write_text("c0_t1,c0_t0\n1,2\n"), "are not in order"),
    "columns counted": ("x.csv", lambda path: path.write_text("0,1,2,3\n5,6,7,8\n"), "first line of .* counts its"),
    "no rate": ("x.npz", lambda path: np.savez(path, x=X, fs_hz=-250.0), "holds a fs_hz that is no sampling rate"),
    "two rates": ("x.npz", lambda path: np.savez(path, x=X, fs_hz=[250.0, 360.0]), "give one number above 0"),
    "binary csv": ("x.csv", lambda path: path.write_bytes(b"\xff\xfe\x00"), "is damaged or no .csv file"),
}


@pytest.mark.parametrize(("name", "make", "part"), WRONG.values(), ids=WRONG)
def test_what_is_no_file_of_series_is_refused(
    tmp_path: Path, name: str, make: Callable[[Path], object], part: str
) -> None:
    make(tmp_path / name)
    with pytest.raises(DataError, match=part) as refused:
        open_series(tmp_path / name, 2)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["npy", "npz", "csv"])
def test_damage_that_shows_late(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "npy":
        np.save(path, X)
        cut(path)
    elif kind == "npz":
        np.savez(path, x=np.tile(X, (100, 1, 1)))
        content = bytearray(path.read_bytes())
        content[-1000] ^= 1
        path.write_bytes(bytes(content))
    else:
        path.write_text("1,2\n3,4\n5,six\n")
    incoming = open_series(path, 2 if kind != "csv" else 1)
    with pytest.raises(DataError, match=f"is damaged or no .{kind} file"):
        list(incoming.blocks(2))


@pytest.mark.parametrize(
    "rows",
    ["1,2\n3,4,5\n", "c0_t0,c0_t1\n1,2\n3,4,5\n", "c0_t0,c0_t1\n1,2,3\n4,5,6\n", "c0_t0,c0_t1,c0_t2\n1,2\n3,4\n"],
)
def test_a_row_of_another_length_is_not_cut(tmp_path: Path, rows: str) -> None:
    (tmp_path / "x.csv").write_text(rows)
    with pytest.raises(DataError, match=r"is damaged or no .csv file") as refused:
        list(open_series(tmp_path / "x.csv", 1).blocks(2))
    assert "\n" not in str(refused.value)


def test_records_that_differ(tmp_path: Path) -> None:
    write_series(tmp_path / "series", [(X, None)], Description(7, 2, 16, "mV", 250.0))
    write_series(tmp_path / "others", [(X[..., :9], None)], Description(7, 2, 9, "mV", 250.0))
    for file in (tmp_path / "others").glob("5.*"):
        (tmp_path / "series" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(DataError, match=r"The record 5 of .* has another shape, rate or unit"):
        list(open_series(tmp_path / "series", 2).blocks(3))
