"""What is built from the project works elsewhere, and what is cloned loads in Dagster."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.project.sources import PACKAGES, ROOT

pytestmark = pytest.mark.slow

LOAD = """
import stock_assets.definitions, stock_assets.forecasting.models, storage.tables, sys
for module in (stock_assets, storage):
    assert module.__file__.startswith(sys.argv[1]), module.__file__
keys = stock_assets.definitions.defs.resolve_all_asset_keys()
print(len(keys), *sorted(stock_assets.forecasting.models.discover()))
"""


def _environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STOCK_ASSETS_", "DAGSTER_"))}
    return kept | {"STOCK_ASSETS_HOME": str(home)} | more


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from a copy of the project, unpacked: as installed, without the clone around it."""
    folder = tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / "source" / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist")]
    subprocess.run([*build, str(folder / "source")], check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


def test_the_wheel_holds_every_file_of_the_packages(unpacked: Path) -> None:
    kinds = ("*.py", "*.yaml", "py.typed")
    source = {path.relative_to(ROOT) for package in PACKAGES for kind in kinds for path in (ROOT / package).rglob(kind)}
    assert source - {path.relative_to(unpacked) for path in unpacked.rglob("*") if path.is_file()} == set()


def test_the_wheel_loads_the_definitions_far_from_the_clone(unpacked: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        # -P: without the working directory in the path; the clone is found through neither it nor the editable install.
        [sys.executable, "-P", "-c", LOAD, str(unpacked)],
        cwd=tmp_path,
        env=_environment(tmp_path / "home", PYTHONPATH=str(unpacked)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, *models = done.stdout.split()
    files = (ROOT / "stock_assets" / "forecasting" / "models").glob("[!_]*.py")
    assert models == sorted(path.stem for path in files)
    assert int(count) >= 8 + 2 * len(models)


def test_the_command_of_the_wheel_keeps_its_state_in_the_users_folder(unpacked: Path, tmp_path: Path) -> None:
    environment = _environment(tmp_path, PYTHONPATH=str(unpacked), XDG_DATA_HOME=str(tmp_path / "share"))
    del environment["STOCK_ASSETS_HOME"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from stock_assets.cli import main; main()", "tickers", "list"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    if sys.platform == "linux":
        assert done.stderr.startswith(f"home: {tmp_path / 'share' / 'stock-assets'}\n")
    assert str(ROOT) not in done.stderr


def test_dagster_finds_the_definitions_valid_in_the_clone(tmp_path: Path) -> None:
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "definitions", "validate"]
    done = subprocess.run(
        command, cwd=ROOT, env=_environment(tmp_path / "home"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation successful" in done.stdout + done.stderr
