"""``ecgan-init``: a complete, commented YAML file to edit."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ecgan.errors import ConfigError, RunError
from ecgan.usage import conf_dir, options

if TYPE_CHECKING:
    from omegaconf import DictConfig

SECTIONS = (
    "tracker",
    "paths",
    "data",
    "dataset",
    "preprocess",
    "transform",
    "split",
    "model",
    "threshold",
    "detector",
    "generation",
    "trainer",
)


def main(arguments: list[str]) -> None:
    """Write the file that the arguments describe.

    Raises:
        RunError: when the file exists; nothing is ever overwritten.
        ConfigError: when a name is unknown.
    """
    given = _parser().parse_args(arguments)
    out = Path(given.out)
    if out.exists():
        raise RunError(f"{out} exists and is not overwritten; choose another name with -o.")
    from ecgan.checks import check_folder
    from ecgan.config import compose
    from ecgan.files import write_text

    names = {"entity": given.entity, "project": given.project, "experiment": given.experiment}
    for key, name in names.items():
        check_folder(key.upper(), name)
    cfg = compose([f"dataset={given.dataset}", f"model={given.model}"])
    cfg.tracker.update(names)  # not as settings, whose grammar would take 1.10 for a number
    cfg.split.train_on = "auto"  # so that the file still fits when another model is named
    write_text(out, render(cfg, given.dataset, given.model))
    print(f"Wrote {out}. Edit it, then: ecgan-preprocess {out} && ecgan-train {out}")


def render(cfg: DictConfig, dataset: str, model: str) -> str:
    """The whole config as commented YAML that composes on top of the defaults.

    Args:
        cfg: composed config.
        dataset: name of the data set's file.
        model: name of the model's file.
    """
    from omegaconf import OmegaConf

    lines = [
        "# An ecgan experiment with all its settings. Train with: ecgan-train THIS_FILE [key=value ...]",
        "# Other choices of a group: ecgan-train --help",
        "defaults:",
        "  - train",
        f"  - override dataset: {dataset}",
        f"  - override model: {model}",
        "  - _self_",
        "",
        "# " + comments_of(conf_dir() / "train.yaml").get("seed", ""),
        f"seed: {cfg.seed}",
        "",
    ]
    root = comments_of(conf_dir() / "train.yaml")
    for section in (*SECTIONS, "sweep"):
        text = OmegaConf.to_yaml(OmegaConf.masked_copy(cfg, [section]))
        comments = {key: text for key, text in root.items() if key.partition(".")[0] == section}
        comments |= _section_comments(section, {"dataset": dataset, "model": model})
        lines += [f"# {comments['']}"] if comments.get("") else []
        lines += [_commented(text, comments), ""]
    return "\n".join(lines).rstrip() + "\n"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say it in one sentence instead of printing the usage."""
        raise ConfigError(f"{message[:1].upper()}{message[1:]}; see ecgan-init --help.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("ecgan-init", description="Write a config file with all settings to edit.")
    parser.add_argument("entity", metavar="ENTITY", help="you or your team")
    parser.add_argument("project", metavar="PROJECT")
    parser.add_argument("experiment", metavar="EXPERIMENT")
    parser.add_argument("-d", "--dataset", default="ecg5000", help=f"one of: {', '.join(options('dataset'))}")
    parser.add_argument("-m", "--model", default="autoencoder", help=f"one of: {', '.join(options('model'))}")
    parser.add_argument("-o", "--out", default="config.yml", help="file to write (default: %(default)s)")
    return parser


def _section_comments(section: str, chosen: dict[str, str]) -> dict[str, str]:
    """Comments of the group's file (or files), by dotted key; the empty key is the first line."""
    folder = conf_dir() / section
    defaults = {"preprocess": "none", "transform": "per_series", "split": "kfold", "threshold": "quantile"}
    name = chosen.get(section) or defaults.get(section, "default")
    files = sorted(folder.glob("*.yaml")) if section == "detector" else [folder / f"{name}.yaml"]
    comments: dict[str, str] = {}
    for file in files:
        own = comments_of(file) if file.is_file() else {}
        comments |= {f"{section}.{key}" if key else "": text for key, text in own.items()}
    return comments


def comments_of(file: Path) -> dict[str, str]:
    """Trailing comment of each key of a YAML file, by dotted key; the file's first comment under the empty key.

    An indented line of comment goes on with the one before.
    """
    found: dict[str, str] = {}
    last = ""
    for path, line in _keys(file.read_text(encoding="utf-8")):
        _, mark, comment = line.partition(" # ")
        if mark and (path or last):
            last = path or last
            found[last] = f"{found[last]} {comment.strip()}" if last in found else comment.strip()
        elif line.startswith("# ") and not line.startswith("# @") and "" not in found:
            found[""] = line[2:].strip()
        elif path:
            last = ""
    return found


def _commented(text: str, comments: dict[str, str]) -> str:
    lines = []
    for path, line in _keys(text):
        comment = comments.get(path, "") if path else ""
        lines.append(f"{line} # {comment}" if comment else line)
    return "\n".join(lines)


def _keys(text: str) -> list[tuple[str, str]]:
    """Each line with the dotted path of the key that it sets, or an empty path."""
    stack: list[tuple[int, str]] = []
    result = []
    for line in text.rstrip("\n").splitlines():
        match = re.match(r"( *)([\w@/]+):(?: |$)", line)
        if not match:
            result.append(("", line))
            continue
        indent = len(match.group(1))
        while stack and stack[-1][0] >= indent:
            stack.pop()
        stack.append((indent, match.group(2)))
        result.append((".".join(key for _, key in stack), line))
    return result
