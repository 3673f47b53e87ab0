"""What the texts promise exists: commands, sessions, settings, files, examples."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import json
import re
import shlex
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/tracking.md", "docs/scaling.md", "docs/publishing.md", "docs/results.md")
TEXTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", *PAGES)
BLOCK = re.compile(r"(?:<!-- example: (?P<path>\S+) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
SPAN = re.compile(r"`([^`\n]+)`")
SETTING = re.compile(r"[\w.]+=[^=]+")
SETUP = "python -m pip install -c constraints.txt -e . && ecgan-train"
TESTS = "python -m pip install nox && nox -s tests"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return [match["body"] for match in BLOCK.finditer(read(name)) if match["language"] == language]


def commands(name: str) -> list[list[str]]:
    """Command lines in the blocks without a language, split into words."""
    lines = itertools.chain.from_iterable(body.replace("\\\n", " ").splitlines() for body in blocks(name, ""))
    first = ("ecgan-", "nox ", "python ")
    return [shlex.split(part) for line in lines if line.startswith(first) for part in line.split("&&") if part.strip()]


def ecgan_commands() -> list[list[str]]:
    return [words for name in TEXTS for words in commands(name) if words[0].startswith("ecgan-")]


def settings_in_prose() -> list[list[str]]:
    """Code spans of the README that consist of settings only, such as `split.only=[2]`."""
    prose = BLOCK.sub("", read("README.md"))
    spans = [shlex.split(span) for span in SPAN.findall(prose) if "=" in span and "(" not in span]
    return [words for words in spans if all(SETTING.fullmatch(word) for word in words)]


def sessions() -> set[str]:
    tree = ast.parse(read("noxfile.py"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name for node in functions if any("session" in ast.unparse(d) for d in node.decorator_list)}


def scripts() -> dict[str, str]:
    return tomllib.loads(read("pyproject.toml"))["project"]["scripts"]


def house() -> list[str]:
    """Paths in the tree of ARCHITECTURE.md, folders with a slash at the end."""
    (tree,) = [body for body in blocks("ARCHITECTURE.md", "") if "\nsrc/ecgan/\n" in body]
    paths: list[str] = []
    parents: list[str] = []
    for line in tree.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        parents[depth:] = [name]
        paths.append("".join(parents))
    return paths


def jobs(overrides: list[str]) -> Iterator[list[str]]:
    """Overrides of jobs of a sweep: with the first two values of everything that varies, or with one of a range."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Transformer

    choices = []
    for parsed in OverridesParser.create().parse_overrides(overrides):
        if parsed.is_interval_sweep():
            values = [parsed.value().start]
        elif parsed.is_sweep_override():
            values = list(itertools.islice(parsed.sweep_iterator(Transformer.encode), 2))
        else:
            values = [None]
        choices.append([parsed.input_line if v is None else f"{parsed.key_or_group}={v}" for v in values])
    yield from (list(job) for job in itertools.product(*choices))


def test_readme_has_the_two_commands_of_the_set_up() -> None:
    lines = [line for body in blocks("README.md", "") for line in body.splitlines()]
    assert SETUP in lines
    assert TESTS in lines
    assert "constraints.txt" in {path.name for path in ROOT.iterdir()}


def test_torch_in_the_readme_is_the_pinned_one() -> None:
    (pinned,) = re.findall(r"^torch==\S+$", read("constraints.txt"), re.M)
    named = set(re.findall(r"torch==[\d.]*\d", read("README.md")))
    assert named == {pinned}


def test_every_console_script_in_the_texts_exists_and_is_explained() -> None:
    known = scripts()
    named = {word for name in TEXTS for word in re.findall(r"\becgan-[a-z]+\b", read(name))}
    assert named == set(known)
    for target in known.values():
        module, _, function = target.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", TEXTS)
def test_every_nox_session_in_the_texts_exists(name: str) -> None:
    spans = [shlex.split(span) for span in SPAN.findall(read(name)) if span.startswith("nox ")]
    asked = [words for words in [*commands(name), *spans] if words[0] == "nox"]
    known = sessions()
    for words in asked:
        assert words[1] == "-s"
        assert set(words[2:]) <= known
    assert asked or name not in ("README.md", "CONTRIBUTING.md")


@pytest.mark.parametrize("words", ecgan_commands(), ids=" ".join)
def test_every_command_line_composes(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgan import comparison, generation, init
    from ecgan.config import compose
    from ecgan.generate.writing import WRITERS
    from ecgan.publish import bundle, scoring

    monkeypatch.chdir(tmp_path)
    if words[0] == "ecgan-init":
        init.main(words[1:])
        assert compose(file=Path(words[words.index("-o") + 1])).tracker.experiment == words[3]
        return
    if words[0] == "ecgan-publish":
        assert bundle.parse(words[1:]).to.suffix in ("", ".zip")
        return
    if words[0] == "ecgan-detect" and any(word.startswith("input=") for word in words):
        assert scoring.parse(words[1:]).input.suffix in (".npz", ".npy", ".csv", ".hea", "")
        return
    if words[0] == "ecgan-report":
        assert comparison.parse(words[1:]).folders
        return
    if words[0] == "ecgan-generate":
        assert generation.parse(words[1:]).out.suffix in WRITERS
        return
    rest = [word for word in words[1:] if not word.startswith(("-", "run=", "out=", "resume="))]
    file = None
    if rest and rest[0].endswith((".yml", ".yaml")):
        file = Path(rest.pop(0))
        (writer,) = [other for other in ecgan_commands() if other[0] == "ecgan-init" and str(file) in other]
        init.main(writer[1:])
    if "--help" in words or "--cfg" in words:
        return
    if "hydra/launcher=ray" in rest:  # which is no part of the tests' environment
        pytest.importorskip("hydra_plugins.hydra_ray_launcher")
    composed = [compose(job, file) for job in jobs(rest)]
    assert composed
    assert all(cfg.dataset._target_ for cfg in composed)


@pytest.mark.parametrize("words", settings_in_prose(), ids=" ".join)
def test_every_setting_in_the_prose_composes(words: list[str]) -> None:
    from ecgan.config import compose

    cfg = compose([*words, *serving(words)])
    assert cfg.model._target_.startswith("ecgan.")


def serving(words: list[str]) -> list[str]:
    """A model for a detector that the default one does not serve."""
    named = [word.removeprefix("detector=") for word in words if word.startswith("detector=")]
    if any(name.startswith(("combined", "discriminator", "feature_matching")) for name in named):
        return ["model=beatgan"]
    return ["model=cnn"] if "classifier" in named else []


def test_readme_names_every_choice_of_every_group() -> None:
    from ecgan.usage import GROUPS, options

    text = read("README.md")
    named = {
        (group, option)
        for group, values in re.findall(rf"\b({'|'.join(GROUPS)})=(\[[\w,]+\]|[\w,]+)", text)
        for option in values.strip("[]").split(",")
    }
    assert named == {(group, option) for group in GROUPS for option in options(group)}


def test_every_path_of_the_house_exists() -> None:
    paths = house()
    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert [path for path in paths if path.endswith("/") != (ROOT / path).is_dir()] == []
    assert len(paths) == len(set(paths))


def test_every_module_has_its_place_in_the_house() -> None:
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "src").rglob("*.py")}
    modules = {path for path in there if not path.endswith("/__init__.py")}
    assert len(modules) > 30
    named = {path for path in house() if path.startswith("src/") and path.endswith(".py")}
    assert named == modules
    packages = {path.rpartition("/")[0] + "/" for path in there - modules}
    assert packages <= set(house())


def test_every_group_and_tool_has_its_place_in_the_house() -> None:
    groups = {f"conf/{path.parent.name}/" for path in (ROOT / "conf").glob("*/*.yaml")}
    tools = {f"tools/{path.name}" for path in (ROOT / "tools").glob("*.py")}
    assert groups | tools <= set(house())


def test_layers_in_the_text_are_those_that_are_enforced() -> None:
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    written = [body.splitlines() for body in blocks("ARCHITECTURE.md", "") if body.startswith("cli\n")]
    assert written == [layers]


@pytest.mark.parametrize("name", [*TEXTS, "CHANGELOG.md", "docs/adr/README.md"])
def test_links_between_files_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", read(name))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (ROOT / name).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_paths_in_the_prose_exist(name: str) -> None:
    prose = BLOCK.sub("", read(name))
    paths = [
        span for span in SPAN.findall(prose) if re.fullmatch(r"(src|conf|tools|tests|docs|notebooks)/[\w./-]*", span)
    ]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_decision_is_in_the_index_and_has_the_four_headings() -> None:
    records = sorted(path.name for path in (ROOT / "docs" / "adr").glob("0*.md"))
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    index = read("docs/adr/README.md")
    assert re.findall(r"\((0\d+-[\w-]+\.md)\)", index) == records
    for name in records:
        text = read(f"docs/adr/{name}")
        assert text.startswith(f"# {name[:4]}: ")
        assert re.findall(r"^## (\w+)$", text, re.M) == ["Status", "Context", "Decision", "Consequences"]


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The examples of CONTRIBUTING.md as if they had been put where it says; gives the setting that finds them."""
    found = {match["path"]: match["body"] for match in BLOCK.finditer(read("CONTRIBUTING.md")) if match["path"]}
    assert len(found) == 7
    for path, body in found.items():
        if path.endswith(".py"):
            name = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
            module = types.ModuleType(name)
            exec(compile(body, path, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - our own text
            monkeypatch.setitem(sys.modules, name, module)
        else:
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body, encoding="utf-8")
    return f"hydra.searchpath=[file://{(tmp_path / 'conf').as_posix()}]"


def test_examples_for_contributors_work_together(examples: str, tmp_path: Path) -> None:
    import numpy as np

    from ecgan.config import compose
    from ecgan.data.splits.splits_file import read_splits
    from ecgan.evaluate.predictions import read_predictions
    from ecgan.experiment import run
    from ecgan.redetection import redetect, reproduced

    rng = np.random.default_rng(0)
    label, patient = np.tile([0, 0, 0, 1], 30), np.repeat(np.arange(10), 12)
    series = np.sin(np.linspace(0, 9, 33))[None] * np.where(label, 3, 1)[:, None] + rng.normal(0, 0.1, (120, 33))
    raw = tmp_path / "data" / "lab" / "raw"
    raw.mkdir(parents=True)
    np.savetxt(raw / "lab.csv", np.column_stack([label, patient, series]), delimiter=",")
    cfg = compose(
        [
            examples,
            "dataset=lab",
            "model=linear",
            "detector=[template,reconstruction,knn]",
            "transform=none",
            "trainer=smoke",
            "split.only=[1]",
            f"paths.data='{tmp_path / 'data'}'",
        ]
    )
    directory = tmp_path / "run"
    summary = run(cfg, directory)

    assert summary["template"]["auroc"]["mean"] == 1.0  # three times the amplitude lies far from the mean
    fold = read_splits(directory / "splits.json")[0][1]
    parts = [set(patient[part]) for part in (fold.train, fold.val, fold.test)]
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]
    table = read_predictions(directory / "fold_1" / "detection" / "template" / "predictions.csv")
    assert table["group"].tolist() == patient[table["index"]].tolist()
    assert set(reproduced(directory, redetect(directory)).values()) == {True}


@pytest.mark.parametrize("conditional", [False, True])
def test_example_of_a_test_passes(conditional: bool, examples: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ecgan.config import compose
    from ecgan.testing import models as testing

    module = sys.modules["tests.contract.test_linear"]
    monkeypatch.setattr(module, "compose", lambda settings: compose([examples, *settings]))
    called: list[object] = []
    monkeypatch.setattr(module, "check_model", lambda make: called.append(testing.check_model(make, (16, 33), (1, 2))))
    module.test_linear(conditional)
    assert called == [None]


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_clean_and_import_what_exists(notebook: Path) -> None:
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert [cell for cell in cells if cell["outputs"] or cell["execution_count"] is not None] == []
    code = "\n".join(line for cell in cells for line in "".join(cell["source"]).splitlines() if line[:1] != "%")
    ours = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("ecgan")
        for alias in node.names
    ]
    assert ours
    for module, name in ours:
        found = importlib.import_module(str(module))
        assert hasattr(found, name) or importlib.util.find_spec(f"{module}.{name}")
