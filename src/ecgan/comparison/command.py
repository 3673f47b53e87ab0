"""``ecgan-report``: run directories in, one folder with the report out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ecgan.comparison import formats, tables
from ecgan.comparison.leakage import pairs_of
from ecgan.comparison.ranking import Ranking, rank
from ecgan.comparison.rows import Row, rows_of
from ecgan.comparison.runs import Problem, Run, find, read
from ecgan.comparison.tables import CLASSIFIED, DETECTED, KINDS, Kind, Table
from ecgan.errors import ConfigError, RunError, did_you_mean
from ecgan.files import write_figure, write_text
from ecgan.report.words import short

TITLE = "Comparison of runs"
RANKED = (DETECTED, CLASSIFIED)
SMALLER_IS_BETTER = ("loss", "false_alarms_at_5")
FILTERS = ("dataset", "model", "detector")
SETTINGS = ("out", "metric", "confidence", "level", *FILTERS)


@dataclass(frozen=True)
class Request:
    """What ``ecgan-report`` was asked for.

    Attributes:
        folders: to look in.
        out: folder for the report; files of an earlier report in it are replaced.
        metric: that methods are ranked by, None for AUROC of detectors and macro F1 of classifiers.
        confidence: of the intervals.
        level: below which a corrected probability tells two methods apart.
        only: names of data sets, models and detectors to show; without one of them, all.
    """

    folders: tuple[Path, ...]
    out: Path = Path("comparison")
    metric: str | None = None
    confidence: float = 0.95
    level: float = 0.05
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        runs: number of runs in the tables.
        rows: of all tables.
        problems: what was not counted.
        tables: all of them, in order.
        price: that of the price of leakage, if there is one.
        rankings: of methods over data sets.
    """

    runs: int
    rows: list[Row]
    problems: list[Problem]
    tables: list[Table]
    price: Table | None
    rankings: list[tuple[Kind, Ranking]]

    @property
    def counts(self) -> str:
        """How much is in the tables, and how much is not."""
        left_out = f", {len(self.problems):,} not counted or not in full" if self.problems else ""
        return f"{self.runs:,} run{'' if self.runs == 1 else 's'} with results{left_out}"


def parse(arguments: Sequence[str]) -> Request:
    """Read ``<dirs…> [out=<folder>] [metric=…] [confidence=…] [level=…] [dataset=a,b] [model=…] [detector=…]``.

    Raises:
        ConfigError: when there is no folder, or a setting is unknown, given twice, or not of its type.
    """
    given: dict[str, str] = {}
    folders: list[Path] = []
    for argument in arguments:
        key, mark, value = argument.partition("=")
        if not mark or Path(argument).is_dir():
            folders.append(Path(argument))
        elif key not in SETTINGS:
            raise ConfigError(f"There is no setting {key!r}; {did_you_mean(key, SETTINGS)}")
        elif key in given or not value:
            raise ConfigError(f"{key} must be given once, with a value.")
        else:
            given[key] = value
    if not folders:
        raise ConfigError("Which runs? Name folders that hold run directories, such as ecgan-report outputs.")
    return Request(
        tuple(folders),
        Path(given.get("out", "comparison")),
        given.get("metric"),
        _share("confidence", given.get("confidence", "0.95")),
        _share("level", given.get("level", "0.05")),
        {key: tuple(given[key].split(",")) for key in FILTERS if key in given},
    )


def _share(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number < 1:
        raise ConfigError(f"{key} is {value!r} but must be a number between 0 and 1.")
    return number


def compare(request: Request) -> Report:
    """Read the runs and write ``table.csv``, ``.md`` and ``.tex``, ``report.html``, ``problems.csv`` and figures.

    Raises:
        ConfigError: when there is no such metric, or the report would replace that of a run.
        RunError: when no run below the folders has results, or none that was asked for.
    """
    if (request.out / "run.json").exists():
        raise ConfigError(f"{request.out} is a run directory, whose own report.html would be lost; give another out=….")
    problems: list[Problem] = []
    rows, repeats = rows_of(read_all(request.folders, problems))
    problems += repeats
    if not rows:
        raise RunError(_nothing(request.folders, problems))
    rows = [row for row in rows if _asked(row, request.only)]
    if not rows:
        words = ", ".join(f"{key}={','.join(names)}" for key, names in request.only.items())
        raise RunError(f"No run has results of {words}; see what there is with ecgan-report without them.")
    known = {name for row in rows for name in tables.plain_metrics(row)}
    if request.metric is not None and request.metric not in known:
        raise ConfigError(f"No run has a metric {request.metric!r}; {did_you_mean(request.metric, known)}")
    report = _report(request, rows, problems)
    _write(request, report)
    return report


def read_all(folders: Sequence[Path], problems: list[Problem]) -> Iterator[Run]:
    """Read all run directories in these folders, later detections last, one after the other.

    Args:
        folders: to look in.
        problems: where to put what is missing.
    """
    for directory in sorted(find(folders), key=lambda path: "detections" in path.parts):
        run, missing = read(directory)
        problems += missing
        if run is not None:
            yield run


def _nothing(folders: Sequence[Path], problems: Sequence[Problem]) -> str:
    where = ", ".join(map(str, folders))
    if not problems:
        return f"There is no run directory in {where}; name a folder that ecgan-train has written to."
    first = problems[0]
    others = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
    return f"No run in {where} has results: {first.directory} is {first.status} ({first.why}){others}."


def _asked(row: Row, only: dict[str, tuple[str, ...]]) -> bool:
    own = {"dataset": row.protocol.dataset, "model": row.model, "detector": row.detector}
    return all(own[key] in names for key, names in only.items())


def _report(request: Request, rows: list[Row], problems: list[Problem]) -> Report:
    names = tables.letters(rows)
    of_kind = {kind.title: [row for row in rows if kind.holds(row)] for kind in KINDS}
    shown = [
        tables.results(kind, of_kind[kind.title], names, request.confidence) for kind in KINDS if of_kind[kind.title]
    ]
    pairs = pairs_of(row for row in rows if not row.oracle)
    price = tables.price(pairs, names) if pairs else None
    shown += [price] if price else []
    rankings: list[tuple[Kind, Ranking]] = []
    for kind in RANKED:
        metric = request.metric or kind.ranked
        if not of_kind[kind.title] or metric is None:
            continue
        found = rank(of_kind[kind.title], metric, larger_is_better=metric not in SMALLER_IS_BETTER)
        if isinstance(found, Ranking):
            rankings.append((kind, found))
            shown += tables.ranks(found, kind, request.level)
        else:
            shown.append(Table(f"{kind.title}: methods over data sets", (), 0, (), [found], result=False))
    shown.append(tables.protocols(names))
    shown += [tables.problems(problems, Path.cwd())] if problems else []
    runs = len({directory for row in rows for directory in row.runs})
    return Report(runs, rows, problems, shown, price, rankings)


def _write(request: Request, report: Report) -> None:
    out = request.out
    for kind in RANKED:
        (out / _figure(kind)).unlink(missing_ok=True)  # of an earlier report that had one
    figures = [
        (out / _figure(kind), _draw(out / _figure(kind), kind, found, request.level)) for kind, found in report.rankings
    ]
    lead = [f"In {', '.join(map(str, request.folders))}: {report.counts}."]
    write_text(out / "table.csv", formats.as_csv(report.rows, request.confidence))
    write_text(out / "problems.csv", formats.problems_csv(report.problems))
    write_text(out / "table.md", formats.as_markdown(TITLE, lead, report.tables, [path for path, _ in figures]))
    write_text(out / "table.tex", formats.as_latex(report.tables))
    write_text(out / "report.html", formats.as_html(TITLE, lead, report.tables, figures))


def _figure(kind: Kind) -> str:
    return f"ranks_{kind.title.lower()}.png"


def _draw(path: Path, kind: Kind, found: Ranking, level: float) -> str:
    """Draw mean ranks and return the caption."""
    from ecgan.evaluate.significance_plots import critical_difference

    title = f"{kind.title}: mean ranks by {short(found.metric)} over {len(found.datasets)} data sets"
    write_figure(path, critical_difference(found.methods, found.ranks, found.corrected, title, level))
    return f"{title}, 1 is best. Bars join methods that Wilcoxon's test with Holm's correction does not tell apart."
