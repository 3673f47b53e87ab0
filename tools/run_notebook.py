"""Execute a notebook from top to bottom and fail where it fails.

Usage: ``python tools/run_notebook.py NOTEBOOK [OUT.ipynb]``. The notebook runs in a temporary folder that is removed
afterwards, and the file itself stays as it is; with OUT, the executed notebook is written there. Needs
``pip install -e .[notebook]``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

TIMEOUT_S = 600
"""Of one cell."""


def execute(notebook: Path) -> nbformat.NotebookNode:
    """Run all cells in a fresh kernel of this interpreter and return the notebook with its outputs."""
    content = nbformat.read(notebook, as_version=4)
    nbformat.validate(content)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(content, timeout=TIMEOUT_S, kernel_name="python3", resources=resources).execute()
    return content


def main() -> int:
    """Run the notebook named on the command line; the exit code is 1 when a cell fails."""
    parser = argparse.ArgumentParser(description="Execute a notebook in a temporary folder.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("out", type=Path, nargs="?", help="where to write the executed notebook")
    given = parser.parse_args()
    start = time.monotonic()
    try:
        executed = execute(given.notebook)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(f"{given.notebook} failed:\n{error}", file=sys.stderr)
        return 1
    cells = sum(cell.cell_type == "code" for cell in executed.cells)
    print(f"{given.notebook}: {cells} cells in {time.monotonic() - start:.0f} s")
    if given.out is not None:
        nbformat.write(executed, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
