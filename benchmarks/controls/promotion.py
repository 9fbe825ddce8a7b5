"""Who would be promoted: the platform's own rule, with the audit made where the rule waits for one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.controls.cases import NOW
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.audit import Subject, audit
from stock_assets.forecasting.champion import decide
from stock_assets.forecasting.ensembles import model_names
from stock_assets.forecasting.manifest import Manifest
from stock_assets.forecasting.models import Fitted, Forecaster
from stock_assets.forecasting.reviews import review
from storage.tables import AUDIT, CHAMPION


@dataclass(frozen=True)
class ControlStore(ArtifactStore):
    """A store that reads back the models of a control, of which the platform does not know all.

    Attributes:
        kinds: their classes by name.
    """

    kinds: Mapping[str, type[Forecaster]]

    def _fitted(self, folder: Path, manifest: Manifest) -> Fitted:
        return self.kinds[manifest.model].load(folder, manifest.settings)


@dataclass(frozen=True)
class Promotion:
    """One decision.

    Attributes:
        champion: who is trusted.
        reason: why, as table `champion` would say it.
        audited: models whose audit the rule waited for.
        failed_proofs: names of audit proofs that did not hold.
    """

    champion: str
    reason: str
    audited: tuple[str, ...]
    failed_proofs: tuple[str, ...]


def promote(
    subject: Subject, calibration: pd.DataFrame, store: ArtifactStore, *, ticker: str, models: Collection[str]
) -> Promotion:
    """Review one ticker for the first time. The fit of the newest fold stands for the final one.

    Args:
        subject: everything stored of the ticker.
        calibration: its rows of table `calibration`.
        store: where its fits are.
        ticker: symbol.
        models: that may be promoted, the benchmark aside.
    """
    newest = subject.folds.sort_values("test_start").groupby("model").tail(1).set_index("model")["model_version"]
    versions = {str(model): str(version) for model, version in newest.items()}
    # The platform's whole family: a model that was not run counts as tried, here as there.
    family = [*model_names(), *(model for model in models if model not in model_names())]
    verdicts = review(subject.evaluation, calibration, _NO_AUDIT, versions=versions, promotable=family)
    waiting = tuple(model for model, verdict in verdicts.items() if verdict.awaits_audit)
    fits = {model: [store.load(ticker, model, versions[model])] for model in waiting}
    audited = audit(subject, fits, ticker=ticker, audited_at=NOW) if waiting else _NO_AUDIT
    decision = decide(
        subject.evaluation,
        calibration,
        audited,
        _NO_HISTORY,
        predictions=subject.predictions,
        ticker=ticker,
        versions=versions,
        promotable=family,
        decided_at=NOW,
    ).iloc[0]
    failed = audited[(audited["kind"] == "proof") & ~audited["passed"].astype(bool)]
    return Promotion(decision["model"], decision["reason"], waiting, tuple(sorted(set(failed["name"]))))


_NO_AUDIT = pd.DataFrame(columns=list(AUDIT.column_names))
_NO_HISTORY = pd.DataFrame(columns=list(CHAMPION.column_names))
