"""`stock-assets up` with small services instead of the platform's: run by tests, configured by JSON."""

import json
import os
import sys
from pathlib import Path

from stock_assets.supervisor import probes
from stock_assets.supervisor.loop import Supervisor, stops_counted
from stock_assets.supervisor.service import Service
from stock_assets.supervisor.watch import Limits, News


def main() -> None:
    config = json.loads(sys.argv[1])
    folder = Path(config["folder"])
    services = [
        Service(one["name"], tuple(one["command"]), dict(os.environ), probes.http(one["port"], "/"), one["port"])
        for one in config["services"]
    ]
    with (folder / "told").open("a", encoding="utf-8") as told, stops_counted() as stops:

        def tell(news: News) -> None:
            line = {"kind": news.kind.name, "service": news.service, "text": news.text, "log": list(news.log_tail)}
            told.write(json.dumps(line) + "\n")
            told.flush()

        Supervisor(services, folder, tell, Limits(**config["limits"])).run(stops)


if __name__ == "__main__":
    main()
