"""What deploy/install brings: exact versions, nothing that names a machine; and what it says when something is missing."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SERVICE, DEV, ALONE = (ROOT / "deploy" / f"requirements{name}.txt" for name in ("", "-dev", "-alone"))
TOOLS = ("sh", "dirname", "cat", "cksum", "mkdir", "rm", "grep", "sed", "mv", "tail")


def pins(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def names(lines: list[str]) -> set[str]:
    return {re.split(r"[=<>\[ ;]", line)[0].lower().replace("_", "-") for line in lines}


@pytest.mark.parametrize("path", [SERVICE, DEV, ALONE], ids=lambda path: path.name)
def test_requirements_name_exact_versions_and_nothing_else(path: Path) -> None:
    wrong = [line for line in pins(path) if not re.fullmatch(r"[a-z0-9-]+==([0-9]+!)?[0-9][\w.]*( ; [^/\\]+)?", line)]
    assert wrong == []


@pytest.mark.parametrize("path", [SERVICE, DEV, ALONE], ids=lambda path: path.name)
def test_requirements_hold_no_address_and_no_path(path: Path) -> None:
    assert not re.search(r"://|--|/(?!pin)\w+/|@", path.read_text())


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    service = names(project["project"]["dependencies"] + extras["broker"])
    assert service <= names(pins(SERVICE))
    assert service | names(extras["train"] + project["dependency-groups"]["dev"]) <= names(pins(DEV))


def test_tests_run_on_the_versions_that_the_service_runs_on() -> None:
    assert set(pins(SERVICE)) <= set(pins(DEV))


def test_the_service_needs_no_torch() -> None:
    assert names(pins(SERVICE)).isdisjoint({"torch", "triton", "matplotlib", "opencv-python"})


def test_no_module_of_the_service_imports_torch() -> None:
    modules = [f"stream.{path.stem}" for path in (ROOT / "stream").glob("[a-z]*.py")]
    code = f"import sys, models.synthetic, models.tasks.speech, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_the_service_imports_of_others_was_compiled_when_it_was_installed() -> None:
    code = """
import sys, stream.service, stream.decoder
for module in list(sys.modules.values()):
    if "site-packages" in (getattr(module, "__file__", None) or "") and getattr(module, "__cached__", None):
        print(module.__cached__)
"""
    done = subprocess.run([sys.executable, "-B", "-c", code], check=True, capture_output=True, text=True)
    compiled = [Path(line) for line in done.stdout.splitlines()]
    assert len(compiled) > 100
    assert [path for path in compiled if not path.is_file()] == []


def test_a_machine_without_python_is_told_so_in_one_line(tmp_path: Path) -> None:
    done = install_with_tools(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("deploy/install: no Python 3.11 or later on the PATH")
    assert done.stderr.count("\n") == 1


def test_a_python_without_venv_is_told_so_in_one_line(tmp_path: Path) -> None:
    without_venv = "#!/bin/sh\ncase $2 in *ensurepip*) exit 1 ;; esac\n"
    done = install_with_tools(tmp_path, python3=without_venv)
    assert done.returncode == 1
    assert "has no venv module: install it" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_machine_without_network_is_told_so_in_one_line(tmp_path: Path) -> None:
    says = "echo 'Failed to establish a new connection' >&2; exit 1"
    no_network = f'#!/bin/sh\ncase "$2 $3" in "venv --clear") {says} ;; esac\n'
    done = install_with_tools(tmp_path, python3=no_network)
    assert done.returncode == 1
    assert "the Python package index cannot be reached" in done.stderr


def install_with_tools(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of deploy/install where the PATH holds only what every system has, and `programs`."""
    (folder / "deploy").mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)
    for file in (ROOT / "deploy" / "install", SERVICE, DEV, ALONE):
        shutil.copy(file, folder / "deploy")
    path = folder / "bin"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool) or tool)
    for name, text in programs.items():
        (path / name).write_text(text)
        (path / name).chmod(0o755)
    command = [str(folder / "deploy" / "install")]
    return subprocess.run(command, env={"PATH": str(path)}, capture_output=True, text=True, check=False, timeout=30)
