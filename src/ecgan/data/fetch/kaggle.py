"""Files of Kaggle data sets, through Kaggle's own library, which is imported only then.

The library logs in when it is imported, prints what it does, and ends the process when it has no credentials; none of
this reaches the user.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ecgan.data.fetch.transfer import TransferError
from ecgan.data.formats.archive import unpack

SCHEME = "kaggle://"
NO_CREDENTIALS = (
    "Kaggle wants an account, and there are no credentials: put a token from https://www.kaggle.com/settings/api into "
    "~/.kaggle/access_token or into the variable KAGGLE_API_TOKEN, or an older key into ~/.kaggle/kaggle.json"
)
REFUSED = "Kaggle does not accept the credentials; get a new token from https://www.kaggle.com/settings/api"
UNAUTHORIZED = 401
LOOK_AFTER_S = 0.2
SILENT_S = 120.0
"""How long nothing may come from Kaggle before the download is given up."""
_one_at_a_time = threading.Lock()  # what is printed is caught for the whole process


def kaggle_credentials() -> bool:
    """Whether there are credentials where Kaggle's library looks for them; nobody asks Kaggle whether they are valid.

    A token: the variable KAGGLE_API_TOKEN, or ``access_token`` in ``~/.kaggle``, or what ``kaggle auth login`` leaves
    there, or the file that a Kaggle notebook names. A user name and a key: the variables KAGGLE_USERNAME and
    KAGGLE_KEY, or ``kaggle.json`` in KAGGLE_CONFIG_DIR, ``~/.kaggle`` or ``~/.config/kaggle``.
    """
    if os.environ.get("KAGGLE_API_TOKEN"):
        return True
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() fails where there is no home
    tokens = [home / ".kaggle" / name for name in ("access_token", "access_token.txt", "credentials.json")]
    if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") and os.environ.get("KAGGLE_API_V1_TOKEN"):
        tokens.append(Path(os.environ["KAGGLE_API_V1_TOKEN"]))
    if any(_text(token) for token in tokens):
        return True
    key = _key_file(home)
    return all(os.environ.get(f"KAGGLE_{part.upper()}") or key.get(part) for part in ("username", "key"))


def _key_file(home: Path) -> dict[str, Any]:
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR") or home / ".kaggle")
    if not folder.exists():
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle"
    try:
        content = json.loads(_text(folder / "kaggle.json") or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError):
        return ""


class KaggleFile:
    """A downloader for ``pooch.retrieve`` of addresses such as ``kaggle://<owner>/<dataset>/<file>``.

    The library resumes on its own in the folder that it gets. Large files come zipped and are unpacked.

    Args:
        folder: where the library puts the file and its notes; removed in the end.
        stop: set when the user has had enough.

    Raises:
        TransferError: from the call, when the file cannot be had.
        DataError: from the call, when the archive that came is hostile or damaged.
    """

    def __init__(self, folder: Path, stop: threading.Event | None = None) -> None:
        self.folder, self.stop = folder, stop or threading.Event()

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Download the file and rename it to ``output_file``."""
        owner, dataset, file = url.removeprefix(SCHEME).split("/", 2)
        if not kaggle_credentials():
            raise TransferError(NO_CREDENTIALS)
        with _one_at_a_time, _silence():
            _watched(partial(_download, f"{owner}/{dataset}", file, self.folder), self.folder, self.stop)
        name = PurePosixPath(file).name
        came = next((path for path in (self.folder / name, self.folder / f"{name}.zip") if path.is_file()), None)
        if came is None:
            raise TransferError("Kaggle's library delivered no file of this name")
        if zipfile.is_zipfile(came):
            inner = unpack(came, self.folder / "unpacked", lambda member: PurePosixPath(member).name == name)
            came = self.folder / "unpacked" / inner[0] if inner else came
        if came.name != name:
            raise TransferError("the archive that Kaggle delivered does not hold it")
        came.replace(output_file)
        shutil.rmtree(self.folder)


def _watched(work: Callable[[], None], folder: Path, stop: threading.Event) -> None:
    """Do the work in a thread that can be left behind: the library waits for ever for a server that falls silent.

    Raises:
        TransferError: when it was stopped, or nothing came for too long.
    """
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            work()
            ended.append(None)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    size, changed = -1, time.monotonic()
    while thread.is_alive():
        thread.join(LOOK_AFTER_S)
        now = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if now != size:
            size, changed = now, time.monotonic()
        if stop.is_set() or time.monotonic() - changed > SILENT_S:
            raise TransferError("interrupted" if stop.is_set() else f"Kaggle sent nothing for {SILENT_S:g} s")
    if ended[0] is not None:
        raise ended[0]


def _download(dataset: str, file: str, folder: Path) -> None:
    from requests import RequestException

    try:
        api = importlib.import_module("kaggle.api.kaggle_api_extended").KaggleApi()
        api.authenticate()
        api.dataset_download_file(dataset, file, path=str(folder), force=False, quiet=True)
    except SystemExit as error:
        raise TransferError(REFUSED) from error
    except RequestException as error:
        code = error.response.status_code if error.response is not None else None
        reason = REFUSED if code == UNAUTHORIZED else f"Kaggle answered {code}" if code else "no connection to Kaggle"
        raise TransferError(reason) from error
    except OSError:  # the disk, which the caller explains
        raise
    except Exception as error:  # whatever else the library comes up with must not end in a traceback
        said = " ".join(str(error).split()) or type(error).__name__
        raise TransferError(f"Kaggle's library says: {said}") from error


@contextmanager
def _silence() -> Iterator[None]:
    stdin = sys.stdin
    sys.stdin = io.StringIO()  # the builtin exit(), which the library calls, closes it
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        sys.stdin = stdin
