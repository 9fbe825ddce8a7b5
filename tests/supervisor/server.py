"""A small service, run as a script: `server.py MARK PORT [HABIT…]`.

MARK is found in the command line of all that is started for one test. Habits: `stubborn` (does not end when asked to),
`family` (starts a stubborn grandchild first), `hangs` (never answers), `dies` (says why and ends with code 3).
"""

import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

_, MARK, PORT, *HABITS = sys.argv


class Answer(BaseHTTPRequestHandler):
    """200 to everything."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  (the name that it overrides)
        """Nothing: what is in the log is known to the tests."""


if "family" in HABITS:
    subprocess.Popen([sys.executable, __file__, MARK, "0", "stubborn", "hangs"])
if "stubborn" in HABITS:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "dies" in HABITS:
    sys.stderr.write("no disk to write to\n")
    sys.exit(3)
sys.stdout.write("started\n")
sys.stdout.flush()
if "hangs" in HABITS:
    time.sleep(600)
HTTPServer(("127.0.0.1", int(PORT)), Answer).serve_forever()
