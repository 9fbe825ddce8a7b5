import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore, describe
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.manifest import hash_rows
from storage.tables import MODELS


@pytest.fixture
def kept(boosted, tmp_path):
    """A copy of the trained store that a test may damage: the store, the folder of the final fit, its address."""
    trained, store = boosted
    shutil.copytree(store.root, tmp_path / "models")
    copy = ArtifactStore(tmp_path / "models")
    address = ("GARCH", "xgboost", trained.final.manifest.version)
    return copy, copy.folder(*address), address


def change_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_model_comes_back_as_it_was_stored(boosted, garch_history):
    trained, store = boosted
    loaded = store.load_current("GARCH", "xgboost")
    for before, after in ((trained.evaluated, loaded.evaluated), (trained.final, loaded.final)):
        assert after.manifest == before.manifest
        assert after.calibration == before.calibration
        np.testing.assert_array_equal(after.predict(garch_history), before.predict(garch_history))


def test_predictions_are_the_raw_ones_times_the_shrinkage(boosted, garch_history):
    model = boosted[0].final
    sums = {"n": 100, "cross": 1.0, "predicted_square": 4.0}
    shrunk = replace(model, manifest=replace(model.manifest, shrinkage=sums))
    np.testing.assert_array_equal(shrunk.predict(garch_history), 0.25 * model.fitted.predict(garch_history))


def test_a_fit_that_was_loaded_needs_its_folder_no_more_and_the_next_one_is_checked_again(kept, garch_history):
    store, folder, address = kept
    first = store.load(*address)
    expected = store.load(*address).predict(garch_history)
    (folder / "model.ubj").unlink()
    np.testing.assert_array_equal(first.predict(garch_history), expected)
    with pytest.raises(ArtifactMismatch, match=r"lacks model\.ubj"):
        store.load(*address)


def test_a_changed_file_is_refused_with_both_hashes(kept):
    store, folder, address = kept
    file = folder / "model.ubj"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(
        ArtifactMismatch, match=r"model\.ubj was changed: its hash starts \w+, the manifest says .* train"
    ):
        store.load(*address)


def test_changed_intervals_are_refused_like_a_changed_model(kept):
    store, folder, address = kept
    (folder / "calibration.json").write_text('{"scores": [0.0]}')
    with pytest.raises(ArtifactMismatch, match=r"calibration\.json was changed"):
        store.load(*address)


def test_a_missing_file_is_refused_by_name(kept):
    store, folder, address = kept
    (folder / "model.ubj").unlink()
    with pytest.raises(ArtifactMismatch, match=r"lacks model\.ubj, which its manifest lists"):
        store.load(*address)


def test_a_file_nobody_listed_is_refused_by_name(kept):
    store, folder, address = kept
    (folder / "extra.bin").write_bytes(b"?")
    with pytest.raises(ArtifactMismatch, match=r"holds extra\.bin, which its manifest does not list"):
        store.load(*address)


def test_a_half_written_folder_is_refused(kept):
    store, folder, address = kept
    (folder / "manifest.json").unlink()
    with pytest.raises(ArtifactMismatch, match=r"has no manifest\.json, so its writing never finished"):
        store.load(*address)


@pytest.mark.parametrize("text", ["{", "[]", '{"model": "xgboost"}', '"xgboost"'])
def test_a_manifest_that_cannot_be_read_is_refused(kept, text):
    store, folder, address = kept
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ArtifactMismatch, match=r"manifest\.json is not a manifest this version can read"):
        store.load(*address)


def test_another_models_folder_is_refused_with_both_names(kept):
    store, folder, (ticker, _, version) = kept
    folder.parent.rename(folder.parent.with_name("random_forest"))
    with pytest.raises(ArtifactMismatch, match=r"holds model 'xgboost', and 'random_forest' was asked for"):
        store.load(ticker, "random_forest", version)


def test_another_tickers_folder_is_refused_with_both_names(kept):
    store, folder, (_, model, version) = kept
    folder.parent.parent.rename(store.root / "ticker=OTHER")
    with pytest.raises(ArtifactMismatch, match=r"holds ticker 'GARCH', and 'OTHER' was asked for"):
        store.load("OTHER", model, version)


def test_another_major_version_of_a_library_is_refused_with_both_versions(kept):
    store, folder, address = kept
    change_manifest(folder, libraries={"xgboost": "1.7.6"})
    with pytest.raises(ArtifactMismatch, match=r"was written with xgboost 1\.7\.6, and \d+\.\d+\.\d+ is installed"):
        store.load(*address)


def test_a_version_nobody_stored_is_refused(kept):
    store, _, (ticker, model, _) = kept
    with pytest.raises(ArtifactMismatch, match=r"no model is stored in .*0000"):
        store.load(ticker, model, "0000")


def test_a_model_nobody_trained_is_refused_with_the_cure(kept):
    with pytest.raises(ArtifactMismatch, match=r"no sarima has been trained for GARCH in .*stock-assets train"):
        kept[0].load_current("GARCH", "sarima")


def test_saving_a_version_again_keeps_the_first(kept, boosted):
    store, folder, address = kept
    final = boosted[0].final
    later = replace(final.manifest, fitted_at="2030-01-01T00:00:00+00:00")
    assert store.save(replace(final, manifest=later)).manifest == final.manifest
    assert store.load(*address).manifest == final.manifest
    assert not list(folder.parent.glob(".writing-*"))


def test_saving_heals_a_damaged_version(kept, boosted):
    store, folder, address = kept
    (folder / "model.ubj").unlink()
    assert not store.verifies(*address)
    final = boosted[0].final
    store.save(final)
    assert store.load(*address).manifest == final.manifest


def test_sweeping_removes_what_dead_writers_left_and_nothing_else(kept):
    store, folder, address = kept
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = folder.parent / f".writing-{dead.pid}-abc"
    left.mkdir()
    pointer = folder.parent / f".writing-{dead.pid}-current.json"
    pointer.write_text("{")
    at_work = folder.parent / f".writing-{os.getpid()}-abc"
    at_work.mkdir()
    of_somebody_else = folder.parent / ".writing-1-abc"
    of_somebody_else.mkdir()
    assert store.sweep() == sorted([left, pointer])
    assert at_work.exists()
    assert of_somebody_else.exists()
    assert store.verifies(*address)
    assert ArtifactStore(store.root / "nothing here").sweep() == []


def test_rows_of_the_table_models_fit_its_contract(boosted):
    rows = describe(boosted[0])
    assert tuple(rows.columns) == MODELS.column_names
    assert list(rows["kind"]) == ["evaluated", "final"]
    assert json.loads(rows["hyper_parameters"][0])["n_estimators"] == 20
    assert rows["artifact_hash"].nunique() == 2


def test_the_hash_of_rows_sees_every_number_and_only_numbers(garch_history):
    rows = garch_history.iloc[:100]
    same = rows[list(rows.columns[::-1])].assign(source="elsewhere", is_final=False)
    assert hash_rows(same) == hash_rows(rows)
    assert hash_rows(rows.iloc[:99]) != hash_rows(rows)
    for column in ("close", "volume", "dividends"):
        changed = rows.copy()
        changed.loc[50, column] += 1e-9 * max(1.0, changed.loc[50, column])
        assert hash_rows(changed) != hash_rows(rows), column
    moved = rows.assign(session=rows["session"] + pd.Timedelta(days=1))
    assert hash_rows(moved) != hash_rows(rows)


def test_the_hash_of_rows_knows_one_nan_and_one_zero(garch_history):
    rows = garch_history.iloc[:10].assign(dividends=0.0, stock_splits=np.nan)
    negative = np.frombuffer(np.uint64(0xFFF8000000000000).tobytes())[0]
    assert hash_rows(rows.assign(dividends=-0.0, stock_splits=negative)) == hash_rows(rows)
