"""Every way we know in which typed SQL could reach beyond the published tables."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from storage import engine
from storage.errors import QueryRefused
from storage.published import Reader
from storage.sql import ask, refusal, run_select
from storage.sql_grammar import check

WRITES = [
    "COPY prices TO '{folder}/stolen.csv'",
    "COPY prices FROM '{folder}/secret.csv'",
    "COPY (SELECT 1) TO '{home}/lake/prices/ticker=AAPL.parquet'",
    "EXPORT DATABASE '{folder}/dump'",
    "IMPORT DATABASE '{folder}/dump'",
    "CREATE TABLE memory.x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE TYPE x AS INTEGER",
    "CREATE PERSISTENT SECRET (TYPE s3)",
    "INSERT INTO prices SELECT * FROM prices",
    "MERGE INTO prices USING prices p ON false WHEN NOT MATCHED THEN INSERT *",
    "UPDATE prices SET close = 0",
    "DELETE FROM prices",
    "TRUNCATE prices",
    "DROP TABLE prices",
    "ALTER TABLE prices RENAME TO p",
    "COMMENT ON TABLE prices IS 'x'",
    "VACUUM",
    "ANALYZE",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM force_checkpoint('warehouse')",
    "WITH x AS (INSERT INTO prices SELECT * FROM prices RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM prices RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE prices SET close = 0 RETURNING *) SELECT * FROM x",
    "WITH x AS (COPY prices TO '{folder}/stolen.csv') SELECT 1",
    "WITH a AS (SELECT 1), x AS (COPY prices TO '{generation}.wal' (USE_TMP_FILE false)) SELECT * FROM a",
    "SELECT * FROM (WITH x AS (COPY prices TO '{generation}' (USE_TMP_FILE false)) SELECT * FROM x)",
]
FILES = [
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM READ_CSV('/dev/stdin')",
    "SELECT * FROM \"read_csv\"('{folder}/secret.csv')",
    "SELECT * FROM system.main.read_csv('{folder}/secret.csv')",
    "SELECT * FROM sniff_csv('{folder}/secret.csv')",
    "SELECT * FROM read_text('{folder}/secret.csv')",
    "SELECT * FROM read_blob('{generation}')",
    "SELECT * FROM read_json('{folder}/secret.csv')",
    "SELECT * FROM read_ndjson_objects('{folder}/secret.csv')",
    "SELECT * FROM read_parquet('{home}/lake/prices/*.parquet')",
    "SELECT * FROM parquet_scan(['{home}/lake/prices/ticker=AAPL.parquet'])",
    "SELECT * FROM parquet_metadata('{home}/lake/prices/ticker=AAPL.parquet')",
    "SELECT * FROM parquet_kv_metadata('/etc/passwd')",
    "SELECT * FROM read_duckdb('{generation}', table_name = 'prices')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT (SELECT content FROM read_text('{folder}/secret.csv'))",
    "SELECT 1 WHERE EXISTS (FROM read_text('{folder}/secret.csv'))",
    "FROM prices, LATERAL (SELECT * FROM read_text('{folder}/secret.csv')) ORDER BY 1",
    "WITH RECURSIVE t AS (SELECT content FROM read_text('{folder}/secret.csv') UNION SELECT content FROM t) FROM t",
    "ATTACH '{folder}/other.duckdb'",
    "ATTACH '{home}/warehouse.duckdb' AS w",
    "DETACH warehouse",
    "USE memory",
    "PREPARE q AS SELECT 1",
    "EXECUTE q",
]
INDIRECTLY = [
    "SELECT * FROM query('SELECT * FROM read_text(''{folder}/secret.csv'')')",
    "SELECT * FROM query('DROP TABLE prices')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('{folder}/secret.csv')",
    "SELECT * FROM query_table(['prices', 'prices'])",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''/etc/passwd'')'))",
    "PRAGMA json_execute_serialized_sql('x')",
    "SELECT * FROM pandas_scan(140000000)",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM python_map_function((SELECT 1))",
    "SELECT * FROM seq_scan((FROM prices))",
    "SELECT * FROM create_external_resource('x')",
    "SELECT * FROM sqlsmith()",
    "SELECT * FROM sqlite_scan('{folder}/secret.csv', 'x')",
    "SELECT * FROM postgres_scan('x', 'y', 'z')",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE prices",
    "SELECT 1 /* ; */ ; DROP TABLE prices --",
    "SELECT 1\N{FULLWIDTH SEMICOLON} DROP TABLE prices",
    "\N{FULLWIDTH LATIN CAPITAL LETTER S}ELECT 1",
    "SELECT\N{ZERO WIDTH SPACE}* FROM read_text('{folder}/secret.csv')",  # a space to DuckDB
    "SELECT * FROM prices\x00; DROP TABLE prices",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT * FROM (EXPLAIN ANALYZE SELECT 1)",
    "CALL pragma_version()",
    "BEGIN TRANSACTION",
]
NETWORK = [
    "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "SELECT * FROM read_parquet('hf://datasets/x/y.parquet')",
    "INSTALL httpfs",
    "FORCE INSTALL httpfs FROM 'http://127.0.0.1:9'",
    "LOAD httpfs",
    "LOAD '{folder}/evil.duckdb_extension'",
    "UPDATE EXTENSIONS",
]
SETTINGS = [
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET lock_configuration",
    "RESET disabled_filesystems",
    "SET memory_limit = '100GB'",
    "SET VARIABLE x = 1",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "PRAGMA threads = 64",
    "SELECT * FROM enable_profiling(save_location := '{folder}/profile.json')",
    "SELECT * FROM enable_logging('HTTP')",
    "SELECT * FROM truncate_duckdb_logs()",
    "SELECT current_setting('allowed_paths')",
    "SELECT Pg_Catalog.\"CURRENT_SETTING\"('allowed_paths')",
    "SELECT list_transform([1], lambda x: current_setting('allowed_paths'))",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM pg_catalog.pg_settings",
    "SELECT * FROM pg_settings",
    "SELECT * FROM duckdb_databases()",
    "SELECT path FROM duckdb_databases",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM duckdb_logs",
]
# To the grammar these are questions about tables and functions; DuckDB looks them up and finds them out of reach.
LOOKED_UP = [
    "SELECT nextval('x')",
    "SELECT * FROM '{folder}/secret.csv'",
    'SELECT * FROM "{folder}/secret.csv"',
    "SELECT * FROM '{home}/lake/prices/ticker=AAPL.parquet'",
    "SELECT * FROM '{generation}'",
    "SELECT * FROM 'file://{folder}/secret.csv'",
    "SELECT * FROM '/proc/self/environ'",
    "SELECT * FROM '/etc/passwd'",
    "DESCRIBE SELECT * FROM '{folder}/secret.csv'",
    "SUMMARIZE '{folder}/secret.csv'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT * FROM python_variable",
    "SELECT * FROM 'https://127.0.0.1:9/x.parquet'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT getenv('HOME')",
]
SENSELESS = [
    "",
    ";",
    "-- nothing",
    "SELECT 'half a surrogate \ud800' FROM nowhere",
    "SELECT 1 AS " + "x" * 200_000,
    "SELECT " + "(" * 40_000 + "1" + ")" * 40_000,
    "SELECT " + "NOT " * 20_000 + "true",
    "SELECT * FROM " + "(SELECT * FROM " * 2_000 + "prices" + ")" * 2_000,
]


KINDS = {"write": WRITES, "file": FILES, "indirect": INDIRECTLY, "network": NETWORK, "setting": SETTINGS}


@pytest.fixture
def untouched(published: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder with a secret; whatever is tried, neither it nor the home has changed afterwards."""
    before = _files(published)
    yield _folder(tmp_path)
    assert _files(tmp_path) == {"folder/secret.csv": b"secret\n1\n"}
    assert _files(published) == before
    with Reader(published) as reader:
        assert len(reader.frame("FROM prices")) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_is_refused_by_its_grammar_alone(published: Path, untouched: Path, kind: str) -> None:
    names = _names(published, untouched)
    with engine.connect() as connection:
        wrong = {sql: _unfit(_judged(connection, sql.format(**names))) for sql in KINDS[kind]}
    assert not {sql: found for sql, found in wrong.items() if found}


@pytest.mark.slow  # a process each
@pytest.mark.parametrize("attacks", [LOOKED_UP, SENSELESS], ids=["out of reach", "senseless"])
def test_what_parses_is_refused_by_the_process_that_runs_it(
    published: Path, untouched: Path, attacks: list[str]
) -> None:
    python_variable = pd.DataFrame({"secret": [1]})  # DuckDB would find it by name in the frames that call it
    names = _names(published, untouched)
    wrong = {ascii(sql)[:60]: _unfit(_run(sql.format(**names), published)) for sql in attacks}
    assert not {sql: found for sql, found in wrong.items() if found}
    assert len(python_variable) == 1


def _judged(connection: duckdb.DuckDBPyConnection, sql: str) -> str | None:
    """The refusal, as the process of a query and whoever asked it would word it."""
    try:
        check(connection, sql)
    except QueryRefused as refused:
        return str(refused)
    except duckdb.Error as error:
        return str(refusal(str(error), sql))
    return None


def _run(sql: str, home: Path) -> str | None:
    try:
        run_select(sql, home)
    except QueryRefused as refused:
        return str(refused)
    return None


def _unfit(answer: str | None) -> str | None:
    """What is wrong with how an attack was answered: one line with a cure, and not long, is wanted."""
    if answer is None:
        return "got through"
    is_fit = "\n" not in answer and len(answer) < 1_000 and re.search(r" — .+", answer)
    return None if is_fit else answer


# The same process without its first line of defence: what the grammar forgets must not be a hole.
_WITHOUT_GRAMMAR = "import storage.sql_worker as worker; worker.check = lambda *_: None; worker.main()"
_WITHOUT_DUCKDB = """
import socket, duckdb, storage.sql_worker as worker
worker._shut_doors(duckdb.connect(), 2**30)
def refused(what):
    try:
        what()
    except OSError:
        return True
print(refused(lambda: open("/etc/passwd")), refused(lambda: open("x", "w")), refused(socket.socket), flush=True)
worker._end({})
"""


@pytest.mark.slow  # a process each
@pytest.mark.parametrize("kind", ["write", "file", "network", "looked up"])
def test_what_the_grammar_might_miss_the_shut_doors_refuse(published: Path, untouched: Path, kind: str) -> None:
    names = _names(published, untouched)
    limits = {"max_rows": 10, "max_bytes": None, "seconds": 60, "memory_bytes": 2**30}
    outcomes = {}
    for sql in (KINDS | {"looked up": LOOKED_UP})[kind]:
        if sql.startswith(("SELECT", "WITH", "FROM")):
            request = {"sql": sql.format(**names), "place": str(published)} | limits
            outcomes[sql] = set(ask(_worker(_WITHOUT_GRAMMAR), request).outcome)
    harmless = {"SELECT * FROM checkpoint()"}
    assert outcomes
    assert outcomes == {sql: {"truncated"} if sql in harmless else {"failed"} for sql in outcomes}


@pytest.mark.slow  # a process
def test_what_duckdb_might_miss_the_kernel_refuses() -> None:
    assert ask(_worker(_WITHOUT_DUCKDB), {}).rows == b"True True True\n"


def _worker(script: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, stderr=pipe)


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "secret.csv").write_text("secret\n1\n")
    return folder


def _names(home: Path, folder: Path) -> dict[str, str]:
    generation = max((home / "published").glob("*.duckdb"))
    paths = {"home": home, "folder": folder, "generation": generation}
    return {name: str(path).replace("'", "''") for name, path in paths.items()}


def _files(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}
