"""What ``--help`` prints, without importing Hydra: usage, examples, and what each group offers."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill

from ecgan.plugins import files_of

WIDTH = 118
GROUPS = (
    "dataset",
    "model",
    "detector",
    "threshold",
    "split",
    "transform",
    "preprocess",
    "trainer",
    "tracker",
    "experiment",
    "sweep",
)


def wants_help(arguments: list[str]) -> bool:
    """Tell whether the user asks for help rather than for a run."""
    return bool({"-h", "--help"} & set(arguments))


def conf_dir() -> Path:
    """Folder of the config groups: inside the wheel, or at the top of a checkout."""
    here = Path(__file__).resolve().parent
    packed = here / "conf"
    return packed if packed.is_dir() else here.parents[1] / "conf"


def options(group: str) -> list[str]:
    """Names of the files of a group that come with ecgan."""
    return sorted(file.stem for file in (conf_dir() / group).glob("*.yaml"))


def choices(group: str) -> list[str]:
    """Names of the files of a group, with those of installed plug-ins."""
    return sorted({*options(group), *(file.stem for file in files_of(group))})


def _groups() -> str:
    lines = (f"  {group:<11} {', '.join(choices(group))}" for group in GROUPS if choices(group))
    return "\n".join(fill(line, WIDTH, subsequent_indent=" " * 14) for line in lines)


def _listed(title: str, group: str) -> str:
    return fill(f"{title}: {', '.join(choices(group))}", WIDTH, subsequent_indent="  ")


def _train() -> str:
    return f"""\
ecgan-train [FILE.yml] [key=value ...]

Trains a model over cross-validation folds, runs detectors after fitting, and leaves a run directory that runs again
to the same bytes. Without arguments it trains on 5,000 heartbeats that come with the package.

  ecgan-train model=beatgan dataset=wafer          change one word
  ecgan-train trainer.max_epochs=5 split.only=[0]  or a setting
  ecgan-train 'detector=[reconstruction,knn]'      several detectors on one fit
  ecgan-train -m model=autoencoder,beatgan         one run for each; given again, it goes on where it stopped
  ecgan-train sweep=seeds model=beatgan            the same from a file; hydra/launcher=joblib for several at once
  ecgan-train 'tracker=[wandb,mlflow]'             told to Weights & Biases and MLflow too
  ecgan-train my_config.yml                        a file written by ecgan-init
  ecgan-train resume=<run directory>               go on with a run that was interrupted

Groups, key=value:
{_groups()}

Models with a critic, loss@model.adversarial=value:
  loss        {", ".join(choices("loss"))}

--cfg job shows the composed config; --hydra-help Hydra's own flags; HYDRA_FULL_ERROR=1 a traceback with an error."""


def _preprocess() -> str:
    return f"""\
ecgan-preprocess [--list] [FILE.yml] [key=value ...]

Gets the raw files of a data set (from data/<dataset>/raw, a mirror, or its official source), preprocesses them and
stores the arrays. ecgan-train does the same when it has to.

  ecgan-preprocess --list                          which data sets there are, their size, license, classes
  ecgan-preprocess dataset=mitbih                  get and store one
  ecgan-preprocess dataset=wafer paths.mirror=/mnt/data preprocess=lttb preprocess.length=128

{fill("Data sets: " + ", ".join(choices("dataset")), WIDTH)}"""


def _detect() -> str:
    return f"""\
ecgan-detect run=DIR [out=DIR] [key=value ...]
ecgan-detect run=BUNDLE input=FILE out=NAME.csv [detector=NAME] [fold=0] [resample=true] [fs_hz=RATE] [sha256=DIGEST]

Scores a finished run again with its saved config, splits and weights. Unchanged, the predictions equal the run's
byte for byte. The run itself is never changed.

  ecgan-detect run=outputs/local/ecgan/default/2026-01-01_12-00-00-000000
  ecgan-detect run=DIR detector=knn detector.knn.scorer.k=1
  ecgan-detect run=DIR threshold=max_f1

With input= it scores new series instead, by a bundle of ecgan-publish (folder, .zip, https:// or s3://) or by a fold of
a run directory (fold=0), without the training data: .npy or .npz (N, channels, time), .csv (one row per series), or a
WFDB record. Memory does not grow with their number.

  ecgan-detect run=bundle.zip input=beats.npz out=scores.csv
  ecgan-detect run=https://example.org/bundle.zip input=record.hea out=scores.csv resample=true

{_listed("Detectors", "detector")}
{_listed("Thresholds", "threshold")}"""


def _generate() -> str:
    return """\
ecgan-generate run=DIR out=NAME [n=1000] [fold=0] [seed=0] [class=NAME]

Writes new series from a finished run whose model generates, in the unit of the data that it was trained on. It needs
the run directory and no data. The same command gives the same bytes. Memory does not grow with n.

  ecgan-generate run=DIR out=beats.npz n=10000     arrays for numpy.load
  ecgan-generate run=DIR out=beats.csv             one row per series
  ecgan-generate run=DIR out=beats                 a folder of WFDB records, where there is a sampling rate
  ecgan-generate run=DIR out=pvc.npz class=PVC     one class only

A model trained with model.conditional=true gives labelled series, of all classes as often as in training, or of the
one class named."""


def _publish() -> str:
    return """\
ecgan-publish run=DIR to=NAME [fold=0] [onnx=true]

Makes a bundle of a finished run: one folder, or one file if the name ends in .zip, with everything that scores new
series anywhere, without the training data: weights, settings, scaling, fitted detectors, thresholds, metrics, a model
card, and the checksum of every file. The same run gives the same bytes.

  ecgan-publish run=DIR to=bundle.zip              one file
  ecgan-publish run=DIR to=bundle fold=2 onnx=true a folder, of fold 2, with the scoring paths as ONNX too

In Python: detector = ecgan.load("bundle.zip"), then detector.predict(x), .score(x), .p_value(x) for arrays
(N, channels, time). On the command line: ecgan-detect run=bundle.zip input=FILE out=NAME.csv"""


def _report() -> str:
    return """\
ecgan-report DIR ... [out=comparison] [metric=auroc] [confidence=0.95] [level=0.05] [dataset=A,B] [model=A] [detector=A]

Reads all run directories below the folders and puts them into one table: table.csv, table.md, table.tex, report.html.
Runs are averaged when nothing but seed and fold differs. Upper bounds have a table of their own, and runs that were not
counted are listed with the reason. Where methods ran on three data sets or more, their ranks are compared.

  ecgan-report outputs                             all runs
  ecgan-report outputs/lab/ecg metric=f1           some, with methods ranked by F1
  ecgan-report outputs model=beatgan,vae out=gans  two models, written to the folder gans
  ecgan-report --sync outputs                      send what trackers could not be told during the runs

After ecgan-train experiment=price_of_leakage, the table 'Price of leakage' shows the same model with patients mixed and
with patients kept apart."""


USAGE = {
    "ecgan-train": _train,
    "ecgan-preprocess": _preprocess,
    "ecgan-detect": _detect,
    "ecgan-generate": _generate,
    "ecgan-report": _report,
    "ecgan-publish": _publish,
}
