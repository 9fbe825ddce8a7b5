"""What the environment decides, and which values it refuses."""

import os

import pytest

from stock_assets.settings import InvalidSetting, load_settings, redact

ADDRESS = "https://hooks.example.org/services/T0P-S3CRET"


def test_models_are_trained_weekly_by_default_and_never_for_age_alone_where_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STOCK_ASSETS_RETRAIN_DAYS", raising=False)
    assert load_settings().retrain_days == 7
    monkeypatch.setenv("STOCK_ASSETS_RETRAIN_DAYS", "30")
    assert load_settings().retrain_days == 30
    monkeypatch.setenv("STOCK_ASSETS_RETRAIN_DAYS", "never")
    assert load_settings().retrain_days is None


@pytest.mark.parametrize("value", ["0", "-7", "weekly", "1.5"])
def test_an_age_that_is_no_number_of_days_is_refused_with_the_value(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("STOCK_ASSETS_RETRAIN_DAYS", value)
    with pytest.raises(InvalidSetting, match=rf"^STOCK_ASSETS_RETRAIN_DAYS is '{value}'; expected .* — correct"):
        load_settings()


def test_there_is_a_worker_for_each_core_unless_it_is_said_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOCK_ASSETS_WORKERS")
    assert load_settings().workers == os.cpu_count()
    monkeypatch.setenv("STOCK_ASSETS_WORKERS", "")
    assert load_settings().workers == os.cpu_count()
    monkeypatch.setenv("STOCK_ASSETS_WORKERS", "3")
    assert load_settings().workers == 3
    monkeypatch.setenv("STOCK_ASSETS_WORKERS", "0")
    with pytest.raises(InvalidSetting, match=r"^STOCK_ASSETS_WORKERS is '0'; expected a whole number from 1 — correct"):
        load_settings()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", set()),
        ("AAPL", {"AAPL"}),
        ("AAPL,BRK-B", {"AAPL", "BRK-B"}),
        (" AAPL, ^GSPC\nIBM ", {"AAPL", "^GSPC", "IBM"}),
    ],
)
def test_pinned_tickers_are_separated_by_commas_or_spaces(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: set[str]
) -> None:
    monkeypatch.setenv("STOCK_ASSETS_PINNED", value)
    assert load_settings().pinned == expected


def test_a_webhook_is_a_web_address_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_WEBHOOK", ADDRESS)
    settings = load_settings()
    assert settings.webhook == ADDRESS
    assert ADDRESS not in repr(settings)
    assert redact(f"posting to {ADDRESS} failed") == "posting to (webhook) failed"
    monkeypatch.setenv("STOCK_ASSETS_WEBHOOK", "T0P-S3CRET")
    with pytest.raises(InvalidSetting, match="STOCK_ASSETS_WEBHOOK is no http or https address") as refused:
        load_settings()
    assert "T0P-S3CRET" not in str(refused.value)


def test_passwords_in_addresses_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STOCK_ASSETS_WEBHOOK", raising=False)
    assert redact("postgresql://me:secret@host/db is down") == "postgresql://(password)@host/db is down"


def test_where_dagster_is_asked_may_hold_a_password_and_where_people_open_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("STOCK_ASSETS_DAGSTER_UI_URL", "STOCK_ASSETS_DAGSTER_API_URL"):
        monkeypatch.delenv(name, raising=False)
    assert load_settings().dagster_api == load_settings().dagster_ui == "http://127.0.0.1:3000"
    monkeypatch.setenv("STOCK_ASSETS_DAGSTER_UI_URL", "https://me:s3c@ret@dagster.example.org/")
    settings = load_settings()
    assert settings.dagster_ui == "https://dagster.example.org"
    assert settings.dagster_api == "https://me:s3c@ret@dagster.example.org"
    assert "ret" not in repr(settings).replace("retrain", "")
    monkeypatch.setenv("STOCK_ASSETS_DAGSTER_API_URL", "http://webserver:3000")
    assert load_settings().dagster_api == "http://webserver:3000"


@pytest.mark.parametrize(
    "address", ["me:s3cret@dagster:3000", "ftp://s3cret", "http://[::s3cret", "http://s3cret:x", "http://"]
)
def test_an_address_of_dagster_that_no_browser_takes_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("STOCK_ASSETS_DAGSTER_UI_URL", address)
    with pytest.raises(InvalidSetting, match=r"^STOCK_ASSETS_DAGSTER_UI_URL is no http or https address") as refused:
        load_settings()
    assert "s3cret" not in str(refused.value)


def test_the_address_of_dagsters_store_is_postgresqls_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "postgresql://dagster:S3CRET@127.0.0.1:5432/dagster"
    monkeypatch.setenv("STOCK_ASSETS_DAGSTER_POSTGRES_URL", address)
    settings = load_settings()
    assert settings.dagster_postgres == address
    assert "S3CRET" not in repr(settings)
    monkeypatch.setenv("STOCK_ASSETS_DAGSTER_POSTGRES_URL", "mysql://dagster:S3CRET@127.0.0.1/dagster")
    with pytest.raises(InvalidSetting, match="POSTGRES_URL is no postgresql:// address") as refused:
        load_settings()
    assert "S3CRET" not in str(refused.value)
