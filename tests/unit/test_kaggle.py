"""Kaggle: where credentials are looked for, and what reaches the user of a library that prints and exits."""

from __future__ import annotations

import io
import json
import sys
import threading
import types
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests

from ecgan.data.fetch import kaggle
from ecgan.data.fetch.download import MARKER, fetch
from ecgan.data.fetch.kaggle import kaggle_credentials
from ecgan.data.source import BaseSource
from ecgan.errors import DataError
from ecgan.types import RemoteFile

CONTENT = b"1.0,2.0\n" * 1000
KEY = json.dumps({"username": "me", "key": "secret"})


class Beats(BaseSource):
    name = "mitbih_beats"
    folder = "kachuee_heartbeat"
    without_account = "dataset.origin=physionet"
    remote = tuple(RemoteFile(name, f"kaggle://shayanfazeli/heartbeat/{name}") for name in ("a.csv", "sub/b.csv"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without credentials."""
    for variable in ("USERNAME", "KEY", "API_TOKEN", "CONFIG_DIR", "API_V1_TOKEN", "KERNEL_RUN_TYPE"):
        monkeypatch.delenv(f"KAGGLE_{variable}", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delitem(sys.modules, "kaggle", raising=False)
    monkeypatch.delitem(sys.modules, "kaggle", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Library:
    """Stands in for ``kaggle.api.kaggle_api_extended``; notes the calls, prints, and does what a test asks."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.trouble: BaseException | None = None
        self.refuses = False
        self.zipped = False
        self.inner = ""

    def authenticate(self) -> None:
        print("Warning: Your Kaggle API key is readable by other users")
        if self.refuses:
            print("Authentication required", file=sys.stderr)
            sys.stdin.close()  # as the builtin exit() does
            raise SystemExit(1)

    def dataset_download_file(self, dataset: str, file_name: str, path: str, force: bool, quiet: bool) -> bool:
        print("Dataset URL: https://www.kaggle.com/datasets/", dataset)
        self.calls.append((dataset, file_name))
        folder, name = Path(path), Path(file_name).name
        folder.mkdir(parents=True, exist_ok=True)
        if self.trouble:
            (folder / f"{name}.kaggle-partial").write_text("{}")
            raise self.trouble
        if self.zipped:
            with zipfile.ZipFile(folder / f"{name}.zip", "w") as opened:
                opened.writestr(self.inner or name, CONTENT)
        else:
            (folder / name).write_bytes(CONTENT)
        return True


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    fake = Library()
    module: Any = types.ModuleType("kaggle.api.kaggle_api_extended")
    module.KaggleApi = lambda: fake
    monkeypatch.setitem(sys.modules, "kaggle", types.ModuleType("kaggle"))
    monkeypatch.setitem(sys.modules, "kaggle.api", types.ModuleType("kaggle.api"))
    monkeypatch.setitem(sys.modules, "kaggle.api.kaggle_api_extended", module)
    return fake


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "token")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_no_credentials() -> None:
    assert not kaggle_credentials()
    assert "kaggle" not in sys.modules


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".kaggle/access_token", "token\n"),
        (".kaggle/access_token.txt", "token"),
        (".kaggle/credentials.json", '{"refresh_token": "x"}'),
        (".kaggle/kaggle.json", KEY),
        (".config/kaggle/kaggle.json", KEY),
    ],
)
def test_files_with_credentials(home: Path, file: str, text: str) -> None:
    write(home / file, "")
    assert not kaggle_credentials(), "an empty file is none"
    write(home / file, text)
    assert kaggle_credentials()


@pytest.mark.parametrize("text", ["{", "[]", '{"username": "me"}', '{"username": "me", "key": ""}'])
def test_useless_key_files(home: Path, text: str) -> None:
    write(home / ".kaggle" / "kaggle.json", text)
    assert not kaggle_credentials()


@pytest.mark.parametrize("variables", [{"API_TOKEN": "t"}, {"USERNAME": "me", "KEY": "k"}])
def test_variables_with_credentials(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        assert not kaggle_credentials()
        monkeypatch.setenv(f"KAGGLE_{name}", value)
    assert kaggle_credentials()


def test_folder_named_by_a_variable(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".kaggle" / "kaggle.json", KEY)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    assert not kaggle_credentials(), "the library looks nowhere else then"
    write(tmp_path / "kaggle.json", KEY)
    assert kaggle_credentials()


def test_key_in_a_file_and_name_in_a_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".kaggle" / "kaggle.json", '{"key": "secret"}')
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    assert kaggle_credentials()


def test_token_of_a_notebook(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / "token", "token")
    monkeypatch.setenv("KAGGLE_API_V1_TOKEN", str(home / "token"))
    assert not kaggle_credentials()
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    assert kaggle_credentials()


def test_without_credentials_one_sentence_and_no_import(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        fetch(Beats(), tmp_path / "data", None)
    sentence = str(caught.value)
    raw = tmp_path / "data" / "kachuee_heartbeat" / "raw"
    assert "kaggle" not in sys.modules
    assert sentence.startswith("Cannot download kaggle://shayanfazeli/heartbeat/")
    assert "Kaggle wants an account" in sentence
    for way in ("~/.kaggle/access_token", "KAGGLE_API_TOKEN", "~/.kaggle/kaggle.json", f"into {raw} by hand"):
        assert way in sentence
    assert sentence.endswith("or choose dataset.origin=physionet, which needs no account.")
    assert "\n" not in sentence


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.usefixtures("token")
def test_files_arrive_and_nothing_is_printed(
    tmp_path: Path, library: Library, capsys: pytest.CaptureFixture[str], zipped: bool
) -> None:
    library.zipped = zipped
    raw = fetch(Beats(), tmp_path / "data", None)
    assert sorted(library.calls) == [("shayanfazeli/heartbeat", "a.csv"), ("shayanfazeli/heartbeat", "sub/b.csv")]
    assert {str(path.relative_to(raw)) for path in raw.rglob("*") if path.is_file()} == {"a.csv", "sub/b.csv"}
    assert (raw / "a.csv").read_bytes() == (raw / "sub" / "b.csv").read_bytes() == CONTENT
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("token")
def test_spreadsheet_is_a_zip_file_that_stays_packed(tmp_path: Path, library: Library) -> None:
    class Table(Beats):
        remote = (RemoteFile("t.xlsx", "kaggle://o/d/t.xlsx"),)

    def deliver(dataset: str, file_name: str, path: str, force: bool, quiet: bool) -> None:
        Path(path).mkdir(parents=True)
        with zipfile.ZipFile(Path(path) / file_name, "w") as opened:
            opened.writestr("xl/workbook.xml", "<x/>")

    library.dataset_download_file = deliver  # type: ignore[assignment, method-assign]
    raw = fetch(Table(), tmp_path / "data", None)
    assert zipfile.ZipFile(raw / "t.xlsx").namelist() == ["xl/workbook.xml"]


@pytest.mark.usefixtures("token")
def test_refused_credentials_end_no_process(
    tmp_path: Path, library: Library, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("still open"))
    library.refuses = True
    with pytest.raises(DataError, match=r"Kaggle does not accept the credentials; get a new token .*origin=physionet"):
        fetch(Beats(), tmp_path / "data", None)
    assert capsys.readouterr() == ("", "")
    assert sys.stdin.read() == "still open"
    assert library.calls == []


def answered(code: int) -> requests.HTTPError:
    response = requests.Response()
    response.status_code = code
    return requests.HTTPError("long\ntext", response=response)


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (answered(401), "Kaggle does not accept the credentials"),
        (answered(403), "Kaggle answered 403"),
        (answered(404), "Kaggle answered 404"),
        (requests.ConnectionError("x"), "no connection to Kaggle"),
        (ValueError("two\nlines"), r"Kaggle's library says: two lines"),
    ],
)
@pytest.mark.usefixtures("token")
def test_trouble_is_one_sentence(tmp_path: Path, library: Library, trouble: BaseException, reason: str) -> None:
    library.trouble = trouble
    with pytest.raises(DataError, match=reason) as caught:
        fetch(Beats(), tmp_path / "data", None)
    assert "\n" not in str(caught.value)
    own = tmp_path / "data" / "kachuee_heartbeat" / "raw"
    assert list((own / MARKER).rglob("*.kaggle-partial")), "what the library needs to go on is kept"
    assert not (own / "a.csv").exists()


@pytest.mark.parametrize(
    ("inner", "reason"),
    [("other.csv", "the archive that Kaggle delivered does not hold it"), ("../a.csv", "outside the folder")],
)
@pytest.mark.usefixtures("token")
def test_archive_with_something_else(tmp_path: Path, library: Library, inner: str, reason: str) -> None:
    library.zipped, library.inner = True, inner
    with pytest.raises(DataError, match=reason):
        fetch(Beats(), tmp_path / "data", None)
    assert not list(tmp_path.rglob("[ab].csv"))


@pytest.mark.usefixtures("token", "library")
def test_wrong_bytes_are_fetched_once_more_and_refused(tmp_path: Path, library: Library) -> None:
    class Known(Beats):
        remote = (RemoteFile("a.csv", "kaggle://o/d/a.csv", "0" * 64),)

    with pytest.raises(DataError, match="another checksum than it should, twice"):
        fetch(Known(), tmp_path / "data", None)
    assert len(library.calls) == 2
    assert not list(tmp_path.rglob("a.csv"))


def test_a_silent_kaggle_is_given_up_and_the_user_can_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgan.data.fetch.transfer import TransferError

    for_ever = threading.Event()
    monkeypatch.setattr(kaggle, "SILENT_S", 0.5)
    with pytest.raises(TransferError, match=r"Kaggle sent nothing for 0\.5 s"):
        kaggle._watched(for_ever.wait, tmp_path, threading.Event())
    stop = threading.Event()
    stop.set()
    with pytest.raises(TransferError, match="interrupted"):
        kaggle._watched(for_ever.wait, tmp_path, stop)
    for_ever.set()
