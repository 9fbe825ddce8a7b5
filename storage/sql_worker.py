"""The process that one typed query runs in: opens the newest generation, shuts every door behind it, sends rows back.

A process, because inside the server DuckDB could neither be stopped in a single long function call nor be kept from
holding Python's lock while it parses, and its memory would not all come back. This one is simply ended.

It speaks with `sql.py`: standard input is one request as JSON; standard output the rows, as an Arrow stream;
the last line on standard error says as JSON how it ended. It takes no signal from the keyboard.
"""

import json
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import pyarrow as pa

from stock_assets.errors import StockAssetsError
from storage.published import open_newest
from storage.sql_grammar import check

_BATCH_ROWS = 2_048
_NICENESS = 10
# What Python and DuckDB need beside what DuckDB counts as memory, in bytes.
_OVERHEAD = 512 * 2**20


def main() -> None:
    """Answer the request on standard input, if one comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    text = sys.stdin.buffer.read()
    if not text:
        return
    request = json.loads(text)
    threading.Thread(target=_end_with_parent, args=[request["parent"]], daemon=True).start()
    try:
        # Decimal megabytes, as DuckDB's are: its limit must be the first to be met, because it says so in words.
        memory = f"{request['memory_bytes'] // 10**6}MB"
        _, connection = open_newest(Path(request["place"]), memory_limit=memory)
    except StockAssetsError as error:
        _end(_raised(error))
    _shut_doors(connection, request["memory_bytes"])
    _end(_answer(connection, request))


def _answer(connection: duckdb.DuckDBPyConnection, request: dict[str, Any]) -> dict[str, Any]:
    signal.setitimer(signal.ITIMER_REAL, request["seconds"] or 0)  # its signal ends the process, whatever it is doing
    try:
        check(connection, request["sql"])
        return {"truncated": _send(connection, request)}
    except StockAssetsError as error:
        return _raised(error)
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError, ValueError) as error:
        return {"failed": str(error)}


def _raised(error: StockAssetsError) -> dict[str, Any]:
    return {"raised": type(error).__name__, "problem": error.problem, "cure": error.cure}


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _shut_doors(connection: duckdb.DuckDBPyConnection, memory_bytes: int) -> None:
    """Leave the open file and the pipes, and nothing else: first by DuckDB's settings, then by the kernel's limits."""
    connection.execute("SET secret_directory = ''")
    # External access alone leaves the attached file, and a WAL beside it, open to COPY … TO.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
    connection.execute("SET lock_configuration = true")
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # no file and no socket is ever opened again
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = memory_bytes + _OVERHEAD
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _send(connection: duckdb.DuckDBPyConnection, request: dict[str, Any]) -> str:
    """Write the rows to standard output. Returns which limit cut them: `rows`, `bytes`, or nothing."""
    rows, size = request["max_rows"], request["max_bytes"]
    relation = connection.sql(request["sql"])
    reader = (relation if rows is None else relation.limit(rows + 1)).to_arrow_reader(_BATCH_ROWS)
    with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as sink:
        sent_rows = sent_bytes = 0
        for batch in reader:
            room = batch.num_rows if rows is None else rows - sent_rows
            part = batch.slice(0, room)
            while size is not None and part.num_rows and sent_bytes + part.nbytes > size:
                part = part.slice(0, part.num_rows // 2)
            sink.write_batch(part)
            sent_rows, sent_bytes = sent_rows + part.num_rows, sent_bytes + part.nbytes
            if part.num_rows < batch.num_rows:
                return "rows" if part.num_rows == room else "bytes"
    return ""


def _end(outcome: dict[str, Any]) -> NoReturn:
    """Say how it ended and leave at once: behind shut doors a connection cannot be closed, DuckDB would abort."""
    sys.stdout.flush()
    sys.stderr.write(json.dumps(outcome) + "\n")
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
