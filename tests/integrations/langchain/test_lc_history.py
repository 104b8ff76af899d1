"""A conversation that comes again is not read again, and never taken for what it was."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from hauberk import Guard, Policy, Session
from hauberk_langchain import protect
from hauberk_langchain._history import History
from hauberk_langchain._messages import read_messages, write_messages
from hauberk_langchain.testing import ScriptedChatModel


def call(**args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "send", "args": args, "id": "1"}])


def conversation() -> list[BaseMessage]:
    said: list[BaseMessage] = [
        SystemMessage("be kind"),
        HumanMessage("hello", id="1"),
        AIMessage("hi", response_metadata={"model": "m"}),
        call(to="ada@example.com", body="one"),
        ToolMessage("sent", name="send", tool_call_id="1"),
        ToolMessage("sent again", tool_call_id="1"),
        HumanMessage([{"type": "text", "text": "block"}, {"type": "text", "text": "two"}]),
        HumanMessage("named", name="Ada"),
        ChatMessage(content="told", role="critic"),
    ]
    return said


def test_the_same_messages_give_the_very_same_segments() -> None:
    history, said = History(), conversation()
    first, _ = history.read(said)
    again, _ = history.read([*said, HumanMessage("more")])
    nameless = said[5].content
    pairs = zip(first, again, strict=False)
    assert [a.text for a, b in pairs if a is not b] == [nameless]
    assert first == read_messages(said)


def test_messages_that_a_store_made_anew_are_known_by_what_they_hold() -> None:
    history, said = History(), conversation()[:5]
    first, _ = history.read(said)
    again, _ = history.read(deepcopy(said))
    assert all(a is b for a, b in zip(first, again, strict=True))


def change_content(said: list[Any]) -> None:
    said[1].content = "other"


def change_metadata(said: list[Any]) -> None:
    said[1].additional_kwargs["note"] = "secret"


def change_arguments(said: list[Any]) -> None:
    said[3].tool_calls[0]["args"]["body"] = "other"


def turn_arguments_round(said: list[Any]) -> None:
    args = said[3].tool_calls[0]["args"]
    args["to"] = args.pop("to")


def change_a_block(said: list[Any]) -> None:
    said[6].content[1]["text"] = "other"


def change_a_name(said: list[Any]) -> None:
    said[4].name = "other"


def change_a_role(said: list[Any]) -> None:
    said[8].role = "system"


def change_a_call_that_names_a_result(said: list[Any]) -> None:
    said[3].tool_calls[0]["name"] = "other"


def change_the_class(said: list[Any]) -> None:
    said[1] = AIMessage("hello", id="1")


def take_one_out(said: list[Any]) -> None:
    del said[1]


@pytest.mark.parametrize(
    "change",
    [
        change_content,
        change_metadata,
        change_arguments,
        turn_arguments_round,
        change_a_block,
        change_a_name,
        change_a_role,
        change_a_call_that_names_a_result,
        change_the_class,
        take_one_out,
    ],
)
def test_a_message_that_was_changed_is_read_anew(change: Any) -> None:
    history, said = History(), conversation()
    history.read(said)
    change(said)
    segments, write = history.read(said)
    assert segments == read_messages(said)
    new = [s.with_text(f"<{n}>") for n, s in enumerate(segments)]
    assert write(new) == write_messages(said, new)


def test_what_is_written_is_what_was_read_and_made_anew_each_time() -> None:
    history, said = History(), conversation()
    segments, write = history.read(said)
    new = [s.with_text(f"<{s.text}>") for s in segments]
    first, before = write(new), deepcopy(said)
    first[1].content = "provider's own"
    vars(first[2])["tool_calls"] = call(to="provider's own").tool_calls
    segments, write = history.read(said)
    new = [s.with_text(f"<{s.text}>") for s in segments]
    assert write(new) == write_messages(before, new)
    assert said == before
    assert write(segments) == said
    assert all(a is b for a, b in zip(write(segments), said, strict=True))


class Sour:
    """Cannot be compared."""

    def __eq__(self, _: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]  # it says what it is


def test_a_copy_is_used_again_until_somebody_changes_it() -> None:
    history, said = History(), [HumanMessage("mail ada@example.com", id="1")]
    (segment,), write = history.read(said)
    new = [segment.with_text("mail <EMAIL_ADDRESS_1>")]
    (first,), (again,) = write(new), write(new)
    assert again is first
    for change in ({"response_metadata": {"x": Sour()}}, {"id": "2"}, {"content": "other"}):
        (copy,) = write(new)
        vars(copy).update(change)
        (made,) = write(new)
        assert made is not copy
        assert (made.content, made.id, made.response_metadata) == (new[0].text, "1", {})
    said[0].response_metadata = {"model": "m"}
    _, write = history.read(said)
    assert write(new)[0].response_metadata == {"model": "m"}


def test_a_message_that_compares_badly_is_read_each_time() -> None:
    history = History()
    said = HumanMessage("hello")
    history.read([said])
    said.response_metadata = {"x": Sour()}
    said.content = "other"
    assert [s.text for s in history.read([said])[0]] == ["other"]
    assert [s.text for s in history.read([said])[0]] == ["other"]


_texts = st.sampled_from(["", "a", "b", "ada@example.com"])
_messages = st.one_of(
    st.builds(HumanMessage, _texts, name=st.sampled_from([None, "Ada"])),
    st.builds(AIMessage, _texts),
    st.builds(SystemMessage, _texts),
    st.dictionaries(st.sampled_from(["to", "body"]), _texts).map(lambda args: call(**args)),
    st.builds(ToolMessage, _texts, tool_call_id=st.just("1"), name=st.sampled_from([None, "look"])),
    st.lists(_texts, max_size=2).map(
        lambda texts: HumanMessage([{"type": "text", "text": text} for text in texts])
    ),
)


@given(st.lists(st.lists(_messages, max_size=5), max_size=4))
def test_whatever_was_read_before_the_texts_are_those_of_now(prompts: list[Any]) -> None:
    history = History()
    for said in prompts:
        segments, write = history.read(said)
        assert segments == read_messages(said)
        new = [s.with_text(f"<{n}>") if n % 2 else s for n, s in enumerate(segments)]
        assert write(new) == write_messages(said, new)


def sent(model: ScriptedChatModel) -> list[str]:
    return [turn.text for turn in model.brain.seen[-1]]


def test_a_value_in_a_changed_message_is_masked_and_another_session_has_its_own() -> None:
    model = protect(ScriptedChatModel(replies=["ok"] * 4), Guard(Policy(version=1)))
    said = [HumanMessage("mail ada@example.com"), AIMessage("done"), HumanMessage("and now?")]
    with Session().active():
        model.invoke(said)
        assert sent(model) == ["mail <EMAIL_ADDRESS_1>", "done", "and now?"]
        said[1].content = "mailed bob@example.com"
        model.invoke(said)
        assert sent(model) == ["mail <EMAIL_ADDRESS_1>", "mailed <EMAIL_ADDRESS_2>", "and now?"]
    with Session().active():
        model.invoke(said[1:])
        assert sent(model) == ["mailed <EMAIL_ADDRESS_1>", "and now?"]
