"""Work in several processes: same order, same errors, nothing left running."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from ecgan.data.pool import in_order
from ecgan.errors import DataError


def slow_square(number: int) -> int:
    time.sleep(0.02 * (number % 3))  # later ones overtake earlier ones
    return number * number


def endless(number: int) -> int:
    time.sleep(600 if number else 0)
    return number


def refuse(limit: int, number: int) -> int:
    if number >= limit:
        raise DataError(f"number {number} is too large")
    return number


def process_of(_: int) -> int:
    return os.getpid()


def end(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2, 3, 40])
def test_results_come_in_order_for_any_number_of_workers(workers: int) -> None:
    assert list(in_order(slow_square, range(20), workers)) == [n * n for n in range(20)]


def test_work_is_done_elsewhere_unless_there_is_one_worker_or_one_item() -> None:
    assert os.getpid() not in set(in_order(process_of, range(4), 2))
    assert set(in_order(process_of, range(4), 1)) == {os.getpid()}
    assert list(in_order(process_of, [0], 8)) == [os.getpid()]


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_arrive_after_the_results_before_them(workers: int) -> None:
    results = in_order(partial(refuse, 3), range(10), workers)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DataError, match="number 3 is too large"):
        next(results)


def test_processes_start_before_the_first_result_is_asked_for() -> None:
    results = in_order(process_of, range(4), 2)
    assert multiprocessing.active_children()
    assert len(list(results)) == 4
    assert not multiprocessing.active_children()


def test_who_gives_up_waits_for_no_item() -> None:
    results = in_order(endless, range(9), 2)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_a_killed_worker_is_told_in_words() -> None:
    with pytest.raises(DataError, match=r"was killed, perhaps for want of memory; use preprocess\.workers=1"):
        list(in_order(end, range(3), 2))


ORPHANS = """
import os, sys, time
from ecgan.data.pool import in_order

def work(item):
    print(f"{os.getpid()}\\n", end="", flush=True)  # in one piece, since two of them write
    time.sleep(0 if item < 2 else 600)

if __name__ == "__main__":
    list(in_order(work, range(4), 2))
"""


def test_workers_end_when_their_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = {int(parent.stdout.readline()) for _ in range(4)}
        parent.kill()
        parent.wait(timeout=10)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and any(alive(worker) for worker in workers):
            time.sleep(0.1)
        assert not any(alive(worker) for worker in workers)


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as stream:  # noqa: PTH123
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
