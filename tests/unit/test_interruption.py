"""Signals: one Ctrl-C waits for the step at hand, a second one does not; outside of steps none waits."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest
from pytorch_lightning import LightningModule, Trainer

from ecgan.errors import Interrupted
from ecgan.interruption import StopsWhenAsked, interruptible

SIGNALS = CTRL_C, TERM = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def handled() -> Iterator[None]:
    with interruptible():
        yield


class Step:
    """One training step, as Lightning tells of it."""

    def __init__(self) -> None:
        self.callback, self.given = StopsWhenAsked(), (Trainer(logger=False, barebones=True), LightningModule())

    def begin(self) -> None:
        self.callback.on_train_batch_start(*self.given)

    def end(self) -> None:
        self.callback.on_train_batch_end(*self.given)

    def fail(self) -> None:
        self.callback.on_exception(*self.given, ValueError())


@pytest.fixture
def step() -> Step:
    return Step()


@pytest.mark.usefixtures("handled")
@pytest.mark.parametrize(("number", "code"), [(CTRL_C, 130), (TERM, 143)])
def test_outside_of_a_step_it_stops_at_once(number: signal.Signals, code: int, step: Step) -> None:
    step.begin()
    step.end()
    with pytest.raises(Interrupted) as stop:
        signal.raise_signal(number)
    assert stop.value.code == code
    with pytest.raises(Interrupted) as stop:  # in case that error got lost
        step.begin()
    assert stop.value.code == code


@pytest.mark.usefixtures("handled")
def test_one_ctrl_c_lets_the_step_end(step: Step, capsys: pytest.CaptureFixture[str]) -> None:
    step.begin()
    signal.raise_signal(CTRL_C)
    assert "Ctrl-C again stops at once" in capsys.readouterr().err
    with pytest.raises(Interrupted) as stop:
        step.end()
    assert stop.value.code == 130


@pytest.mark.usefixtures("handled")
@pytest.mark.parametrize("numbers", [(CTRL_C, CTRL_C), (CTRL_C, TERM), (TERM,)])
def test_a_second_one_and_sigterm_do_not(numbers: tuple[signal.Signals, ...], step: Step) -> None:
    step.begin()
    for number in numbers[:-1]:
        signal.raise_signal(number)
    with pytest.raises(Interrupted) as stop:
        signal.raise_signal(numbers[-1])
    assert stop.value.code == 128 + numbers[-1]


@pytest.mark.usefixtures("handled")
def test_after_a_step_that_failed_no_signal_waits(step: Step) -> None:
    step.begin()
    step.fail()
    with pytest.raises(Interrupted):
        signal.raise_signal(CTRL_C)


def test_afterwards_all_is_as_before(step: Step) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with interruptible():
        step.begin()
        signal.raise_signal(CTRL_C)
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
    with interruptible():
        step.begin()
        step.end()


def test_in_a_thread_nothing_is_installed() -> None:
    before, seen = [signal.getsignal(number) for number in SIGNALS], []

    def work() -> None:
        with interruptible():
            seen.extend(signal.getsignal(number) for number in SIGNALS)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == before
