import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdo.agents.answer import Answer, Fold, Malformed, events_of, fold
from vdo.job import Usage

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
BLOCKS = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, TEXT)
    | st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "s"}, TEXT)
    | st.builds(
        lambda value: {"type": "tool_use", "id": "t", "name": "n", "input": value}, st.dictionaries(TEXT, VALUE)
    ),
    max_size=4,
)


@given(BLOCKS)
def test_an_answer_survives_its_own_events(content):
    answer = Answer(tuple(content), "end_turn", None, Usage(1, 2, 3, 4), "m", complete=True)

    assert fold(json.dumps(event).encode() for event in events_of(answer)) == answer


@given(BLOCKS, st.integers(0, 30))
def test_a_part_of_the_events_is_no_answer(content, count):
    events = list(events_of(Answer(tuple(content), "end_turn", None, Usage(1, 2, 3, 4), "m", complete=True)))

    part = fold(json.dumps(event).encode() for event in events[: min(count, len(events) - 1)])

    assert not part.complete


@given(st.lists(st.dictionaries(st.sampled_from(["type", "index", "delta", "message"]), VALUE)))
def test_no_events_make_it_crash(events):
    assert isinstance(fold(json.dumps(event).encode() for event in events), Answer)


def stream(*parts, stop_reason="tool_use"):
    state = Fold()
    state.add({"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}})
    block = {"type": "tool_use", "id": "t", "name": "write", "input": {}}
    state.add({"type": "content_block_start", "index": 0, "content_block": block})
    for part in parts:
        delta = {"type": "input_json_delta", "partial_json": part}
        state.add({"type": "content_block_delta", "index": 0, "delta": delta})
    state.add({"type": "content_block_stop", "index": 0})
    state.add({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 9}})
    state.add({"type": "message_stop"})
    return state


@pytest.mark.parametrize("text", ['{"a": 1', "[1]", '{"a": NaN}', '{"a": "\\ud800"}', "[" * 100_000])
def test_a_tool_input_that_is_no_json_object_is_malformed(text):
    with pytest.raises(Malformed):
        stream(text).answer()


def test_no_input_at_all_is_an_empty_object():
    assert stream().answer().tool_uses[0]["input"] == {}


def test_where_the_answer_was_cut_off_the_stop_reason_counts():
    answer = stream('{"file_path": "a", "con', stop_reason="max_tokens").answer()

    assert (answer.stop_reason, answer.content, answer.usage) == ("max_tokens", (), Usage(5, 9))


def test_usage_is_cumulative_and_null_changes_nothing():
    state = stream("{}")
    state.add({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 12, "input_tokens": None}})

    assert state.usage == Usage(5, 12)
