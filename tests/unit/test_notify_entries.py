"""Entries ``[[notify]]``, as a TOML reader gives them: what is taken, what is refused and in which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlog.errors import UsageError
from fastlog.model.notify import NotifyError, NotifyTarget, parse_notify
from fastlog.model.printable import printable


@pytest.mark.parametrize(
    ("entry", "target", "label"),
    [
        (
            {"url": "https://hooks.example/T1/secret"},
            NotifyTarget(2, url="https://hooks.example/T1/secret"),
            "notify 2 (hooks.example)",
        ),
        (
            {"url_env": "HOOK", "body": "text", "rules": ["a", "b*"]},
            NotifyTarget(2, url_env="HOOK", body="text", rules=("a", "b*")),
            "notify 2 ($HOOK)",
        ),
        ({"url_file": "/run/hook"}, NotifyTarget(2, url_file="/run/hook"), "notify 2 (/run/hook)"),
        (
            {"exec": ["/opt/bin/page", "--now", ""]},
            NotifyTarget(2, exec=("/opt/bin/page", "--now", "")),
            "notify 2 (page)",
        ),
    ],
)
def test_what_is_taken(entry: dict[str, object], target: NotifyTarget, label: str) -> None:
    assert parse_notify(entry, 2) == target
    assert target.label == label


@pytest.mark.parametrize(
    ("entry", "key", "message"),
    [
        ({}, "", "notify 1 has none: give one of url, url_env, url_file, exec"),
        ({"rules": ["a"]}, "", "notify 1 has none: give one of url, url_env, url_file, exec"),
        ({"url": "http://h", "exec": ["a"]}, "exec", "notify 1 has url and exec: give one of "),
        ({"ulr": "http://h/secret"}, "", "notify 1 has no 'ulr': give rules, url, "),
        ({"rule": ["a"]}, "rule", "notify 1 has no 'rule': give rules, url, "),
        ({"url": "ftp://h/secret"}, "", "notify 1: url is no URL to post to: give one of http:// or "),
        ({"url": "https:///secret"}, "", "notify 1: url is no URL to post to: "),
        ({"url": "http://h:99999/secret"}, "", "notify 1: url is no URL to post to: "),
        ({"url": "http://[secret"}, "", "notify 1: url is no URL to post to: "),
        ({"url": "http://h/a secret"}, "", "notify 1: url is no URL to post to: "),
        ({"url": "http://h/\r\nsecret"}, "", "notify 1: url is no URL to post to: "),
        ({"url": 7}, "", 'notify 1: url is no text: write it as url = "..."'),
        ({"url_env": ""}, "url_env", 'notify 1: url_env is no text: write it as url_env = "..."'),
        ({"url_env": "A=B"}, "", "notify 1: url_env is no name of a variable"),
        ({"url_file": "a\0b"}, "url_file", "notify 1: url_file is no text"),
        ({"exec": "rm -rf /"}, "exec", "notify 1: exec is no list of texts"),
        ({"exec": []}, "exec", "notify 1: exec is no list of texts"),
        ({"exec": [""]}, "exec", "notify 1: exec is no list of texts"),
        ({"exec": ["a", 1]}, "exec", "notify 1: exec is no list of texts"),
        ({"exec": ["a"], "rules": "traffic"}, "rules", "notify 1: rules is no list of texts"),
        ({"exec": ["a"], "rules": []}, "rules", "notify 1: rules is no list of texts"),
        ({"exec": ["a"], "body": "xml"}, "body", "notify 1: body is 'xml': give one of event, text"),
    ],
)
def test_what_is_refused(entry: dict[str, object], key: str, message: str) -> None:
    with pytest.raises(NotifyError) as raised:
        parse_notify(entry, 1)
    assert str(raised.value).startswith(message)
    assert raised.value.key == key
    assert isinstance(raised.value, UsageError)
    assert "secret" not in str(raised.value)


VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers())


@given(st.dictionaries(st.sampled_from(["rules", "url", "url_env", "url_file", "exec", "body"]), VALUES))
def test_any_entry_is_a_target_or_an_error(entry: dict[str, object]) -> None:
    try:
        target = parse_notify(entry, 1)
    except NotifyError:
        return
    given = [
        target.url is not None,
        target.url_env is not None,
        target.url_file is not None,
        bool(target.exec),
    ]
    assert sum(given) == 1
    assert printable(target.label) == target.label


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (("*",), True),
        (("traffic",), True),
        (("a", "tr?ffic"), True),
        (("Traffic",), False),
        (("traff",), False),
    ],
)
def test_patterns_fit_the_whole_name(patterns: tuple[str, ...], wanted: bool) -> None:
    assert NotifyTarget(1, rules=patterns, exec=("a",)).wants("traffic") is wanted
