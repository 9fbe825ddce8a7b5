"""500 tickers of which 7 are bad in seven ways: `python -m benchmarks.bad_tickers [--tickers 500] [--days 3]`.

The home is that of `benchmarks.daily`: fits of one trained ticker, copied. Three days follow, each a daily update: on
the first, seven tickers are bad; on the second, a model file is new as well and trained for nobody; on the third, one
model's fits are damaged, too, and with it the ensembles wait (docs/adr/0112). With --at-once it is all on one day. Then
every claim is looked up: the others are complete, the seven are named with reason and cure in the table, in the checks,
by the command and in one announcement, the run is green, nothing is fitted, and every sensor still answers.

What data can break is broken on the disk. A bug, a calendar that ends and a unit that kills its worker are put into the
process of the update (`benchmarks.faults`), since this program has none to offer.
"""

import argparse
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from benchmarks.daily import TRAINED, copy_tickers, n_fits, names, write_bars
from benchmarks.faults import (
    BAD,
    BAD_MODEL,
    CORRUPT,
    ENDING,
    MODEL_FILE,
    NEW_MODEL,
    SAID,
    SHORT,
    UNKNOWN,
    UNREADABLE,
)
from benchmarks.processes import PROGRAM, timed

_LAST = 1300  # sessions there are
_SHORT = 30


class Experiment:
    """A home with good and bad tickers, updated day after day."""

    def __init__(self, folder: Path, n: int) -> None:
        """Train one ticker, copy its fits, and break seven."""
        self.home, self.csv = folder / "home", folder / "csv"
        self.good = [TRAINED, *names(n - len(BAD))[1:]]
        self.source = folder / "source"
        self.n_bars = _LAST - 3
        self.has_bad_model = self.has_new_model = False
        self.held: list[bool] = []
        write_bars(self.csv, [TRAINED], self.n_bars)
        timed([PROGRAM, "run", "--ticker", TRAINED, "--csv-dir", str(self.csv)], self.home)
        copy_tickers(self.home, [*self.good[1:], *(one for one in BAD if one != SHORT)])
        self._shorten()
        self.fits = n_fits(self.home)

    def _shorten(self) -> None:
        """A ticker that has models, and hardly any bars."""
        from storage.lake import Lake

        lake = Lake(self.home / "lake")
        fits = lake.read("models", ticker=TRAINED).assign(ticker=SHORT)
        for model, of_model in fits.groupby("model"):
            lake.write("models", of_model, ticker=SHORT, model=str(model))
        lake.write("tickers", lake.read("tickers", ticker=TRAINED).assign(ticker=SHORT), ticker=SHORT)

    @property
    def absent(self) -> set[str]:
        """Models that can say nothing of the newest session, for no ticker."""
        from stock_assets.forecasting.ensembles import discover_ensembles

        absent = {BAD_MODEL, *discover_ensembles()} if self.has_bad_model else set()
        return absent | {NEW_MODEL} if self.has_new_model else absent

    def damage_model(self) -> None:
        """One model's fits cannot be used any more, for no ticker."""
        for path in (self.home / "models").glob(f"ticker=*/{BAD_MODEL}/*/manifest.json"):
            path.write_text("{")
        self.has_bad_model = True

    def add_model(self) -> None:
        """A file more in the folder of the models: the update runs from a copy of the packages."""
        root = Path(__file__).resolve().parent.parent
        for package in ("stock_assets", "storage", "dashboard", "benchmarks", "tests"):
            shutil.copytree(root / package, self.source / package)
        shutil.copyfile(root / "pyproject.toml", self.source / "pyproject.toml")
        (self.source / "stock_assets/forecasting/models" / f"{NEW_MODEL}.py").write_text(MODEL_FILE)
        self.has_new_model = True

    def new_day(self) -> subprocess.CompletedProcess[str]:
        """One session more, and the update of all tickers."""
        from storage.lake import Lake

        self.n_bars += 1
        write_bars(self.csv, [*self.good, *BAD], self.n_bars)
        lines = (self.csv / f"{SHORT}.csv").read_text().splitlines(keepends=True)
        (self.csv / f"{SHORT}.csv").write_text("".join([lines[0], *lines[-_SHORT:]]))
        (self.csv / f"{UNREADABLE}.csv").write_bytes(bytes(100))
        (self.csv / f"{UNKNOWN}.csv").unlink()
        lake = Lake(self.home / "lake")
        # Its source has moved it to another market, which is another run: here it fails among the others again.
        lake.write("tickers", lake.read("tickers", ticker=ENDING).assign(calendar="XNYS"), ticker=ENDING)
        (self.home / "lake" / "prices" / f"ticker={CORRUPT}.parquet").write_bytes(b"PAR1 no more")
        command = [sys.executable, "-c", "from benchmarks.faults import update_with_faults as go; go()"]
        environment = os.environ | {
            "STOCK_ASSETS_HOME": str(self.home),
            "STOCK_ASSETS_WORKERS": "2",
            "OMP_NUM_THREADS": "1",
            "BAD_TICKERS_LAST": lines[-1].partition(",")[0],
        }
        if self.has_new_model:
            environment["PYTHONPATH"] = str(self.source)
        self.newest = pd.Timestamp(environment["BAD_TICKERS_LAST"])
        where = self.source if self.has_new_model else None
        arguments = ["forecast", "--csv-dir", str(self.csv)]
        return subprocess.run(
            [*command, *arguments], env=environment, cwd=where, capture_output=True, text=True, check=False
        )

    def claim(self, what: str, wrong: object) -> None:
        """Print whether nothing is wrong."""
        self.held.append(not wrong)
        print(f"  {'held  ' if not wrong else 'FAILED'} {what}{'' if not wrong else f': {wrong}'}", flush=True)

    def look(self, done: subprocess.CompletedProcess[str]) -> None:
        """Every claim."""
        from stock_assets.forecasting.ensembles import model_names
        from storage.lake import Lake

        lake = Lake(self.home / "lake")
        universe = lake.read("tickers").set_index("ticker")
        self.claim("the command ends with exit code 1", "" if done.returncode == 1 else done.stderr[-3000:])
        ill = universe.loc[self.good, "status"]
        self.claim(f"{len(self.good)} tickers are ok", ill[ill != "ok"].to_dict())
        said = lake.read("forecasts")
        said = said[said["as_of_session"] == self.newest].groupby("ticker")["model"].agg(set)
        expected = set(model_names()) - self.absent
        incomplete = {one: expected ^ said.get(one, set()) for one in self.good if said.get(one) != expected}
        self.claim(f"they have a forecast of each of {len(expected)} models", incomplete)
        self.claim("the bad ones have none", sorted(set(BAD) & set(said.index)))
        rows = universe.loc[BAD]
        self.claim("the seven are failed in the table tickers, with stage, reason, cure and run", [
            (ticker, *rows.loc[ticker, ["status", "stage", "reason", "cure"]])
            for ticker in BAD
            if rows.loc[ticker, "status"] != "failed"
            or SAID[ticker][0] not in str(rows.loc[ticker, "stage"])
            or SAID[ticker][1] not in str(rows.loc[ticker, "reason"])
            or not rows.loc[ticker, "cure"]
        ])  # fmt: skip
        self.claim("the command names each with reason and cure", [
            ticker for ticker in BAD if not _named(done.stderr, ticker, rows.loc[ticker])
        ])  # fmt: skip
        self.claim("nothing was fitted", n_fits(self.home) - self.fits)
        for what, wrong in self._dagster(rows):
            self.claim(what, wrong)

    def _dagster(self, rows: pd.DataFrame) -> Iterator[tuple[str, object]]:
        """Claims about the run, its checks and the sensors."""
        from stock_assets.instance import open_instance
        from stock_assets.settings import Settings

        os.environ |= {"STOCK_ASSETS_HOME": str(self.home), "STOCK_ASSETS_CSV_DIR": str(self.csv)}
        with open_instance(Settings(home=self.home, source="csv", csv_dir=self.csv)) as instance:
            runs = [run for run in instance.get_runs() if run.run_id in set(rows["run_id"])]
            wrong = [run.status.value for run in runs if run.status is not dg.DagsterRunStatus.SUCCESS]
            yield "the run is green", wrong or ("" if runs else "there is none")
            named: dict[str, set[str]] = {}
            for run in runs:
                for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
                    found: Any = entry.dagster_event.event_specific_data  # type: ignore[union-attr]
                    if found.check_name == "complete" and "tickers" in found.metadata:
                        named[found.asset_key.to_user_string()] = set(found.metadata["tickers"].value)
            missing = sorted(set(BAD) - named.get("forecasts", set()))
            yield "the check complete of forecasts names the seven", missing
            yield "and nobody else", sorted(named.get("forecasts", set()) - set(BAD))
            everybody = {*self.good, *BAD}
            for model in sorted(self.absent):
                own = named.get(f"predictions/{model}", set())
                yield f"the check complete of predictions/{model} names all", sorted(everybody - own)
            yield from self._sensors(instance, rows)

    def _sensors(self, instance: dg.DagsterInstance, rows: pd.DataFrame) -> Iterator[tuple[str, object]]:
        from benchmarks.sensors import Home, ask
        from stock_assets.forecasting.sessions import session_close
        from stock_assets.sensors import SENSORS
        from stock_assets.settings import Settings
        from storage.lake import Lake

        home = Home(Settings(home=self.home, source="csv", csv_dir=self.csv), instance, self.good)
        before = set(Lake(self.home / "lake").read("announcements")["announcement_id"])
        for sensor in SENSORS:
            if sensor.name != "failed_runs":  # no run has failed
                ask(home, sensor, now=session_close("XNYS", self.newest.date()) + pd.Timedelta(hours=1))
        yield "every sensor answers", ""  # otherwise this ends with its trace
        told = Lake(self.home / "lake").read("announcements")
        told = told[(told["kind"] == "failure") & ~told["announcement_id"].isin(before)]
        yield "there is one announcement of failures", "" if len(told) == 1 else told["message"].tolist()
        message = "\n".join(told["message"])
        yield (
            "it names the seven with reason and cure",
            [ticker for ticker in BAD if not _named(message, ticker, rows.loc[ticker])],
        )


def _named(text: str, ticker: str, row: pd.Series) -> bool:
    return any(f"{ticker}: " in line and row["reason"] in line and row["cure"] in line for line in text.splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=500, help="how many, the bad ones among them")
    parser.add_argument("--days", type=int, default=3, choices=(1, 2, 3), help="so many of the three days")
    parser.add_argument("--at-once", action="store_true", help="all of it on one day")
    given = parser.parse_args()
    logging.disable(logging.ERROR)  # what the sensors tell of the seven
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(Path(folder), given.tickers)
        days = [[], [experiment.add_model], [experiment.damage_model]]
        for faults in [[*days[1], *days[2]]] if given.at_once else days[: given.days]:
            for fault in faults:
                fault()
            models = (
                f", {NEW_MODEL} new" * experiment.has_new_model + f", {BAD_MODEL} damaged" * experiment.has_bad_model
            )
            print(f"{given.tickers} tickers, {len(BAD)} bad{models}", flush=True)
            experiment.look(experiment.new_day())
    print(f"{sum(experiment.held)} of {len(experiment.held)} claims held")
    sys.exit(0 if all(experiment.held) else 1)


if __name__ == "__main__":
    main()
