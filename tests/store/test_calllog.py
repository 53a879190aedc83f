import json
import os
from pathlib import Path

import pytest

from vdo.store.calllog import CallLog
from vdo.work import Attempt
from vdo.work import CallLog as Protocol

REQUEST = b'{"model":"m","text":"two\\nlines"}'
EVENTS = (b'{"type":"start"}', b'{"type":"delta","text":"\xc3\xa9"}')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "calls" / "uid"


def record(folder: Path, turn: int = 4, *, end: bool = True, request: bytes = REQUEST, events=EVENTS) -> CallLog:
    log = CallLog(folder)
    log.begin(turn, request)
    for event in events:
        log.event(event)
    if end:
        log.end()
    return log


def test_it_is_what_agents_are_promised(folder):
    log: Protocol = CallLog(folder)
    assert log.earlier(0) == []


def test_an_answer_that_was_read_to_its_end_comes_back(folder):
    record(folder)

    earlier = CallLog(folder).earlier(4)

    assert earlier == [Attempt(REQUEST, EVENTS)]
    assert CallLog(folder).earlier(3) == [] == CallLog(folder).earlier(40)


@pytest.mark.parametrize("torn", [b"", b'{"type":"de', b"E", b"END"])
def test_a_torn_last_line_is_no_event_and_no_end(folder, torn):
    record(folder, end=False)
    with open(folder / "4.1", "ab") as file:
        file.write(torn)

    (attempt,) = CallLog(folder).earlier(4)

    assert attempt.events == EVENTS


def test_a_torn_request_is_no_attempt(folder):
    record(folder, end=False, events=())
    path = folder / "4.1"
    path.write_bytes(path.read_bytes()[:10])

    assert CallLog(folder).earlier(4) == []


def test_another_request_of_the_same_turn_is_seen_as_such(folder):
    """Whether an answer fits is the agent's to say: it gets the request that was sent."""
    record(folder, request=b'{"model":"other"}')

    (attempt,) = CallLog(folder).earlier(4)

    assert attempt.request != REQUEST


def test_every_attempt_is_handed_out_once(folder):
    record(folder, end=False)
    record(folder, events=EVENTS[:1])
    log = CallLog(folder)

    assert [len(attempt.events) for attempt in log.earlier(4)] == [2, 1]
    assert log.earlier(4) == []
    log.begin(4, REQUEST)
    log.end()
    assert log.earlier(4) == []  # its own are none of an earlier process
    assert [len(attempt.events) for attempt in CallLog(folder).earlier(4)] == [2, 1, 0]


def test_more_than_nine_attempts_stay_in_order(folder):
    for number in range(12):
        record(folder, events=(str(number).encode(),))

    assert [attempt.events for attempt in CallLog(folder).earlier(4)] == [(str(n).encode(),) for n in range(12)]


def test_a_new_attempt_keeps_an_unfinished_one(folder):
    log = record(folder, end=False)
    log.begin(4, REQUEST)
    log.event(EVENTS[0])

    assert [attempt.events for attempt in CallLog(folder).earlier(4)] == [EVENTS, EVENTS[:1]]


def test_clearing_forgets_everything(folder):
    log = record(folder)
    log.clear()

    assert CallLog(folder).earlier(4) == [] and not folder.exists()
    log.begin(4, REQUEST)
    log.end()
    assert len(CallLog(folder).earlier(4)) == 1


def test_what_nobody_asked_for_is_handed_out_in_order(folder):
    for turn in (10, 4, 6):
        record(folder, turn, events=(str(turn).encode(),))
    log = CallLog(folder)
    log.earlier(6)

    assert [attempt.events for attempt in log.untold()] == [(b"4",), (b"10",)]
    assert log.untold() == [] == CallLog(folder / "nothing").untold()


def test_what_is_in_the_journal_already_is_dropped(folder):
    for turn in (4, 6, 10):
        record(folder, turn)
    CallLog(folder).forget_before(6)
    CallLog(folder / "nothing").forget_before(6)

    assert sorted(path.name for path in folder.iterdir()) == ["10.1", "6.1"]


def test_events_are_in_the_file_at_once(folder):
    log = record(folder, end=False)

    assert (folder / "4.1").read_bytes().split(b"\n")[1:] == [*EVENTS, b""]
    log.event(json.dumps({"text": "a\nb"}).encode())
    assert len((folder / "4.1").read_bytes().split(b"\n")) == 5


def test_only_the_owner_reads_what_was_sent(folder):
    record(folder)
    assert os.stat(folder / "4.1").st_mode & 0o077 == 0


def test_what_is_paid_says_so_and_is_counted_among_the_attempts(folder):
    record(folder)
    log = CallLog(folder)
    log.mark_paid()
    log.mark_paid()  # safe to repeat
    log.begin(4, REQUEST)
    log.end()

    assert [(one.events, one.paid) for one in CallLog(folder).earlier(4)] == [(EVENTS, True), ((), False)]
    assert [one.paid for one in CallLog(folder).untold()] == [True, False]
    CallLog(folder).forget_before(5)
    assert CallLog(folder).untold() == []
    CallLog(folder / "nothing").mark_paid()
