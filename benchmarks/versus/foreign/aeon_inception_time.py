"""One member of aeon's InceptionTime: seconds of an epoch and of the whole fit, of classifying, and the accuracy.

Runs with aeon's own interpreter: ``python aeon_inception_time.py JSON``, prints JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from typing import Any

import aeon
import numpy as np
import tensorflow as tf
from aeon.classification.deep_learning import IndividualInceptionClassifier


class Clock(tf.keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start."""
        self.start = time.process_time()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop."""
        self.seconds.append(time.process_time() - self.start)


def main() -> None:
    """Fit, classify, tell."""
    given = json.loads(sys.argv[1])
    data = np.load(given["data"])
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    clock, test = Clock(), data["test"][:, None]
    with tempfile.TemporaryDirectory() as folder:
        classifier = IndividualInceptionClassifier(
            n_epochs=given["epochs"],
            batch_size=given["batch"],
            random_state=given["seed"],
            optimizer=tf.keras.optimizers.Adam(given["lr"]),
            callbacks=[clock],
            file_path=f"{folder}/",
        )
        start = time.process_time()
        classifier.fit(data["train"][:, None], data["train_label"])
        fit = time.process_time() - start
    classifier.predict(test[: given["batch"]])
    start = time.process_time()
    predicted = classifier.predict(test)
    answering = time.process_time() - start
    found = {
        "epoch": statistics.median(clock.seconds[1:]),
        "fit": fit,
        "classify": 1e3 * answering / len(test),
        "accuracy": float(np.mean(predicted == data["test_label"])),
        "weights": classifier.model_.count_params(),
        "versions": f"aeon {aeon.__version__}, tensorflow {tf.__version__}",
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
