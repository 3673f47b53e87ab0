"""Two sides in turns, each in a process of its own, and what comes out as rows of the table."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
MARK = "row: "
"""How a line begins that ``benchmarks/table.py`` takes as a row."""
Answer = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: of the comparison.
        what: is measured.
        unit: of both numbers: a time, a rate, or a score.
        ours: median of the times, mean of the scores.
        theirs: the same of the other side.
        ratio: how many times as fast ours is, the median of the rounds; None for scores.
        low: the smallest ratio of a round.
        high: the largest.
        rounds: how often both were measured.
        versions: of the other side.
    """

    name: str
    what: str
    unit: str
    ours: float
    theirs: float
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    rounds: int = 1
    versions: str = ""

    def tell(self) -> None:
        """Print the row, for readers and for the table."""
        shown = f", ratio {self.ratio:.2f} ({self.low:.2f} to {self.high:.2f})" if self.ratio is not None else ""
        print(f"{self.name}, {self.what}: ours {self.ours:.4g} {self.unit}, theirs {self.theirs:.4g}{shown}")
        print(MARK + json.dumps(asdict(self)), flush=True)


def our_side(job: str) -> list[str]:
    """Command of a job of ``ours.py``."""
    return [sys.executable, "-m", "versus.ours", job]


def ask(command: Sequence[str], settings: Mapping[str, Any]) -> Answer:
    """What a side prints as its last line, with one thread for all that it computes."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    done = subprocess.run(
        [*command, json.dumps(dict(settings))],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=HERE,
        env=os.environ | threads,
    )
    answer: Answer = json.loads(done.stdout.splitlines()[-1])
    return answer


def alternate(sides: Mapping[str, Sequence[str]], settings: Mapping[str, Any], rounds: int) -> list[dict[str, Answer]]:
    """Ask all sides in turns, in reverse order every second round; the seed is the number of the round."""
    answers = []
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(sides)[::-1]
        answers.append({side: ask(sides[side], {**settings, "seed": number}) for side in order})
        print(f"round {number}: {json.dumps(answers[-1])}", file=sys.stderr, flush=True)
    return answers


def times(name: str, what: str, unit: str, answers: Sequence[Mapping[str, Answer]], ours: str, key: str) -> Row:
    """A row of times: the ratio is theirs by ours."""
    own, other = ([answer[side][key] for answer in answers] for side in (ours, "theirs"))
    ratios = [b / a for a, b in zip(own, other, strict=True)]
    middle = statistics.median
    found = (middle(own), middle(other), middle(ratios), min(ratios), max(ratios))
    return Row(name, what, unit, *found, len(answers), answers[0]["theirs"]["versions"])


def scores(name: str, what: str, unit: str, answers: Sequence[Mapping[str, Answer]], ours: str, key: str) -> Row:
    """A row of scores, larger is better: means over the rounds."""
    own, other = (statistics.mean(answer[side][key] for answer in answers) for side in (ours, "theirs"))
    return Row(name, what, unit, own, other, rounds=len(answers), versions=answers[0]["theirs"]["versions"])
