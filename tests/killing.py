"""Processes that are killed at a chosen moment, as ``kill -9`` does it: nothing is cleaned up, no handler runs."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from typing import Any

KILLED = 9


def killed_in(
    work: Callable[[], Any], owner: Any, name: str, call: int | Callable[..., bool] = 1, after: bool = False
) -> None:
    """Work in a process that dies in a certain call of a function; assert that it did.

    Args:
        work: what to do.
        owner: class or module of the function.
        name: of the function.
        call: in which of its calls: their number, or what tells from the arguments.
        after: whether the function does its work first.
    """

    def child() -> None:
        usual, calls = getattr(owner, name), iter(range(1, 10**6))

        def fatal(*arguments: Any, **named: Any) -> Any:
            number = next(calls)

            def here() -> bool:
                return call(*arguments) if callable(call) else number == call

            if not after and here():
                os._exit(KILLED)
            result = usual(*arguments, **named)
            if after and here():
                os._exit(KILLED)
            return result

        setattr(owner, name, fatal)
        work()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(300)
    assert process.exitcode == KILLED, f"the process ended with {process.exitcode} before it came to {name}"
