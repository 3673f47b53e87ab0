"""aeon reads the two text files of a set of the UCR archive.

Runs with aeon's own interpreter: ``python aeon_loading.py JSON``, prints JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import aeon
from aeon.datasets import load_from_ts_file


def main() -> None:
    """Read, tell."""
    given = json.loads(sys.argv[1])
    taken = []
    for _ in range(3):
        start = time.process_time()
        parts = [load_from_ts_file(str(Path(given["files"], f"ECG5000_{part}.ts"))) for part in ("TRAIN", "TEST")]
        taken.append(time.process_time() - start)
    seconds = statistics.median(taken)
    shape = [sum(len(x) for x, _ in parts), *parts[0][0].shape[1:]]
    print(json.dumps({"first": seconds, "again": seconds, "shape": shape, "versions": f"aeon {aeon.__version__}"}))


if __name__ == "__main__":
    main()
