"""Real processes under the supervisor: kept alive, given up, and gone with it, whatever they do."""

import os
import shutil
import signal
import sys

import pytest

from tests.supervisor.conftest import Running, Start, wait_for

pytestmark = pytest.mark.slow

UNRULY = {"calm": [], "stubborn": ["stubborn"], "parent": ["family"], "mute": ["hangs", "family", "stubborn"]}


def _up(running: Running, *names: str) -> None:
    for name in names:
        running.await_news("ANSWERS", name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_any_request_to_end_stops_everything_and_is_no_failure(start: Start, number: signal.Signals) -> None:
    running = start({"one": [], "two": []})
    _up(running, "one", "two")
    running.await_news("SETTLED")
    assert running.stop(number) == 0
    assert running.left() == {}
    assert running.news()[-1]["kind"] == "STOPPING"


def test_ctrl_c_leaves_no_orphan_of_services_that_do_not_listen_or_have_children(start: Start) -> None:
    running = start(UNRULY, grace=1)
    _up(running, "calm", "stubborn", "parent")
    wait_for(lambda: len(running.left()) == len(UNRULY) * 2 + 2, "four services, their guards and two grandchildren")
    assert running.stop() == 0
    assert running.left() == {}


def test_a_second_ctrl_c_kills_at_once(start: Start) -> None:
    running = start({"stubborn": ["stubborn"]}, grace=3600)
    _up(running, "stubborn")
    running.process.send_signal(signal.SIGINT)
    running.await_news("STOPPING")
    assert running.stop() == 0  # in much less than the hour it was given
    assert running.left() == {}


def test_nothing_is_left_when_the_supervisor_itself_is_killed(start: Start) -> None:
    running = start(UNRULY, grace=1)
    _up(running, "calm", "stubborn", "parent")
    assert running.stop(signal.SIGKILL) == -signal.SIGKILL
    wait_for(lambda: not running.left(), "the end of every process")


def test_a_guard_that_is_killed_takes_its_service_along_into_the_restart(start: Start) -> None:
    running = start({"stubborn": ["stubborn"]})
    _up(running, "stubborn")
    before = running.left()
    os.kill(next(pid for pid, line in before.items() if "guard.py" in line), signal.SIGKILL)
    running.await_news("ANSWERS", "stubborn", times=2)  # on the same port
    assert not before.keys() & running.left().keys()


def test_a_service_that_is_killed_is_started_again(start: Start) -> None:
    running = start({"steady": [], "victim": ["family"]})
    _up(running, "steady", "victim")
    before, steady = running.left(), running.of("steady")
    os.kill(running.of("victim"), signal.SIGKILL)
    died = running.await_news("DIED", "victim")
    assert "ended by SIGKILL: started again in 0 s (restart 1 of 5)" in died["text"]
    assert set(died["log"]) == {"started"}
    running.await_news("ANSWERS", "victim", times=2)
    assert {pid for pid in before if pid in running.left()} >= {steady}
    assert len(before.keys() & running.left().keys()) == 2, "the steady service and its guard; no old grandchild"


def test_logs_that_somebody_removed_bring_nothing_down(start: Start) -> None:
    running = start({"victim": []})
    _up(running, "victim")
    shutil.rmtree(running.folder / "logs")
    os.kill(running.of("victim"), signal.SIGKILL)
    assert running.await_news("DIED", "victim")["log"] == []
    running.await_news("ANSWERS", "victim", times=2)
    assert (running.folder / "logs" / "victim.log").read_text(encoding="utf-8") == "started\n"


def test_one_that_keeps_dying_is_given_up_with_its_last_words_and_the_others_go_on(start: Start) -> None:
    running = start({"steady": [], "broken": ["dies"]}, restarts=3)
    given_up = running.await_news("GAVE_UP", "broken")
    assert "ended with exit code 3, 4 times within 10 min: it is not started again" in given_up["text"]
    assert given_up["log"] == ["no disk to write to"], "of the last start alone"
    restarts = [one["text"].split("(")[1] for one in running.news() if one["kind"] == "DIED"]
    assert restarts == ["restart 1 of 3)", "restart 2 of 3)", "restart 3 of 3)"]
    _up(running, "steady")
    assert running.of("steady")
    assert running.stop() == 0
    assert running.left() == {}


def test_a_command_that_does_not_exist_says_so(start: Start) -> None:
    running = start({"steady": []})
    running.stop()
    from stock_assets.supervisor.child import Child
    from stock_assets.supervisor.service import Service

    reading, writing = os.pipe()
    try:
        log = running.folder / "nothing.log"
        service = Service("nothing", ("/no/such/program",), dict(os.environ), lambda _: False)
        child = Child(service, log, lifeline=reading, grace=1, folder=running.folder)
        assert wait_for(child.ended, "its end") == "ended with exit code 127"
        assert log.read_text(encoding="utf-8") == "/no/such/program cannot be started: No such file or directory\n"
    finally:
        os.close(reading)
        os.close(writing)


def test_one_that_never_answers_is_killed_and_counted_and_delays_nobody(start: Start) -> None:
    running = start({"mute": ["hangs", "stubborn"], "steady": []}, answer=8, restarts=1)
    assert "did not answer within" in running.await_news("DIED", "mute")["text"]
    running.await_news("SETTLED")
    running.await_news("GAVE_UP", "mute")
    _up(running, "steady")


def test_it_ends_with_a_failure_when_every_service_is_given_up(start: Start) -> None:
    running = start({"broken": ["dies"], "worse": ["dies"]}, restarts=0)
    assert running.process.wait(60) == 1
    assert running.left() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc shows the sessions of other processes on Linux only")
def test_each_service_has_a_session_of_its_own(start: Start) -> None:
    running = start({"one": [], "parent": ["family"]})
    _up(running, "one", "parent")
    sessions = {os.getsid(pid) for pid in running.left()}
    assert len(sessions) == 2
    assert os.getsid(running.process.pid) not in sessions
