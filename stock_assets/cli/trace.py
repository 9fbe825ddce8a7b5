"""`trace`: from a forecast back to the bars it was made from, and whether making it again gives the same."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stock_assets.cli.context import open_home, output
from stock_assets.cli.layout import grid

if TYPE_CHECKING:
    from rich.console import Console


def trace(
    forecast: Annotated[
        str, typer.Argument(metavar="FORECAST_ID", help="Its id, or the beginning of it if no other begins so.")
    ],
    style: Annotated[Literal["table", "json"], typer.Option("--format", help="How the answer is written.")] = "table",
) -> None:
    """Where a forecast came from: model, runs, code, training rows, bars as known then; and make it again.

    Ids: stock-assets sql "SELECT forecast_id, ticker, model, target_session FROM forecasts".
    Exit code 1 if making it again gives something else.
    """
    from stock_assets.provenance import trace as look_up

    found = look_up(open_home(), forecast.strip())
    if style == "json":
        typer.echo(json.dumps(found, default=_json, indent=1, ensure_ascii=False))
    else:
        _print(found, output())
    if not found["reproduction"]["is_same"]:
        raise typer.Exit(1)


def _print(found: dict[str, dict[str, Any]], console: "Console") -> None:
    from rich.text import Text

    lines = [
        ("forecast", _forecast(found["forecast"])),
        ("artifact", _artifact(found["artifact"])),
        ("MLflow run", found["mlflow"]["run_id"] or "not tracked"),
        *((f"Dagster run ({what})", _run(run)) for what, run in found["dagster"].items()),
        ("code", _code(found["code"])),
        ("training rows", _training(found["training"])),
        ("bars known then", _bars(found["bars"])),
        ("made again", _again(found["reproduction"])),
    ]
    table = grid(show_header=False)
    for name, text in lines:
        table.add_row(Text(name, style="bold"), Text(text))
    console.print(table)


def _forecast(of: dict[str, Any]) -> str:
    marks = [name for name, is_it in (("champion", of["is_champion"]), ("live", of["is_live"])) if is_it]
    return (
        f"{of['forecast_id']}: {of['ticker']} by {of['model']} on {of['source']} bars, "
        f"from {_text(of['as_of_session'])} for {_text(of['target_session'])}\n"
        f"{of['predicted']:.4f}, 90 % interval {of['lower_90']:.4f} to {of['upper_90']:.4f}, random walk "
        f"{of['naive']:.4f}\nwritten {_text(of['created_at'])}" + (f" ({', '.join(marks)})" if marks else "")
    )


def _artifact(of: dict[str, Any]) -> str:
    verified = "every file verified" if of["verified"] else f"NOT verified: {of['problem']}"
    return f"{of['folder']}\nhash {of['hash'] or 'unknown'}, {verified}"


def _run(of: dict[str, Any] | None) -> str:
    if of is None:
        return "not written down"
    if of["status"] is None:
        return f"{of['run_id']}, no longer in Dagster's log"
    return f"{of['run_id']}, job {of['job']}, {of['status']}, started {_text(of['started_at'])}"


def _code(of: dict[str, Any]) -> str:
    return f"{of['then']}, " + ("the same now" if of["is_same"] else f"now {of['now'] or 'gone'}")


def _training(of: dict[str, Any]) -> str:
    if of["data_version"] is None:
        return "unknown"
    found = "found again in raw_prices" if of["found_again"] else f"not found again: {of.get('problem', 'no artifact')}"
    span = f"{_text(of['train_start'])} to {_text(of['train_end'])}"
    return f"hash {of['data_version']}, {of['n_train']} labels from {span}; {found}"


def _bars(of: dict[str, Any]) -> str:
    if of.get("problem"):
        return f"hash {of['data_version']}; {of['problem']}"
    restated = "; history was restated since" if of["restated_since"] else ""
    lines = [
        f"hash {of['data_version']}, {of['n']} bars from {_text(of['first_session'])} to {_text(of['last_session'])}",
        f"vintage {_text(of['vintage'])}, last fetched {_text(of['last_fetched_at'])}{restated}",
    ]
    for bar in of["last"]:
        prices = "  ".join(f"{name} {bar[name]:g}" for name in ("open", "high", "low", "close", "adj_close", "volume"))
        lines.append(f"{_text(bar['session'])}  {prices}")
    return "\n".join(lines)


def _again(of: dict[str, Any]) -> str:
    if "numbers" not in of:
        return f"not possible: {of['problem']}"
    again = f"{of['numbers']['predicted']['again']:.4f}"
    if of["is_same"]:
        how = "to the last bit" if of["largest_difference"] == 0 else f"within {of['largest_difference']:.1g}"
        return f"{again}: the same {how}, intervals included"
    worst = f"largest difference {of['largest_difference']:.3g}, at most {of['tolerance']:g} was expected"
    return f"{again}: NOT the same ({worst})"


def _text(value: Any) -> str:
    if not isinstance(value, datetime):
        return str(value)
    return f"{value:%Y-%m-%d}" if value.tzinfo is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value.tzinfo is None else value.isoformat()
    return value.item()
