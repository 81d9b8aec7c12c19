"""The regexes of ``=~``: those of ``re`` where both know them, and never slow."""

import re

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from fastlog.rulebook import pattern as module
from fastlog.rulebook.pattern import Pattern
from fastlog.rulebook.syntax import PatternError

_atoms = st.sampled_from(("a", "b", ".", "[ab]", "[^a]", r"\d", r"\W", "c", "[a-c]", r"\.", "^", "$"))


def _grown(patterns: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(patterns, patterns).map("".join),
        st.tuples(patterns, patterns).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(patterns, st.sampled_from(("*", "+", "?", "{2}", "{1,3}", "{2,}", "{,2}", "*?"))).map(
            lambda two: f"({two[0]}){two[1]}"
        ),
    )


@settings(max_examples=300, deadline=None)
@given(
    text=st.recursive(_atoms, _grown, max_leaves=8),
    subjects=st.lists(st.text("abc.1", max_size=8), max_size=8),
    folds=st.booleans(),
)
def test_it_finds_what_re_finds(text: str, subjects: list[str], *, folds: bool) -> None:
    text = "(?i)" + text if folds else text
    try:
        pattern = Pattern(text)
    except PatternError as error:
        if "too large" in error.message:  # three times three times ...
            reject()
        raise
    known = re.compile(text.encode(), re.DOTALL)
    for subject in map(str.encode, [*subjects, *(subject.upper() for subject in subjects)]):
        assert pattern.search(subject) == (known.search(subject) is not None), subject


@pytest.mark.parametrize(
    ("text", "fits", "does_not"),
    [
        ("^/api/v[12]/", b"/api/v2/users", b"/x/api/v2/users"),
        (r"\.php$", b"/index.php", b"/index.php.txt"),
        (r"\.(?:jpe?g|png)(?:\?|$)", b"/a.jpg?x=1", b"/a.jpgx"),
        ("(?i)^/ADMIN", b"/admin", b"/adm"),
        (r"^10\.\d{1,3}\.", b"10.255.0.1", b"10.1234.0.1"),
        ("[]x]", b"]", b"[a"),
        (r"[\d-]", b"-", b"a"),
        (r"\x41\t", b"A\t", b"a\t"),
        ("é+$", "café".encode(), b"cafe"),
        ("", b"", None),
        ("a{x}", b"a{x}", b"aa"),
        ("(?:){1000}a", b"a", b"b"),
        ("$^", b"", b"a"),
        ("a^", None, b"aa"),
    ],
)
def test_the_language(text: str, fits: bytes | None, does_not: bytes | None) -> None:
    assert fits is None or Pattern(text).search(fits)
    assert does_not is None or not Pattern(text).search(does_not)


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("/a(b", 2, "not closed"),
        ("a)", 1, "closes no group"),
        ("[a-", 0, "not closed"),
        ("[", 0, "not closed"),
        ("ab*+", 3, "repeat of a repeat"),
        ("a**", 2, "repeat of a repeat"),
        ("*a", 0, "nothing to repeat"),
        ("^*", 1, "nothing to repeat"),
        ("(?=a)", 0, "look-around"),
        ("(?P<x>a)", 0, "(?:...)"),
        (r"(a)\1", 3, "not known"),
        (r"\b", 0, "not known"),
        ("a\\", 1, "not known"),
        (r"\xg1", 0, "hexadecimal"),
        ("a{3,2}", 0, "m <= n"),
        ("a{9999}", 0, "1000"),
        ("[z-a]", 1, "range"),
        (r"[\d-z]", 1, "range"),
        ("[é]", 1, "more than one byte"),
        ("((a{100}){100})", 0, "too large"),
        ("(" * 60 + "a" + ")" * 60, 50, "deep"),
        ("a" * 1001, 0, "shorter"),
    ],
)
def test_what_is_refused_is_pointed_at(text: str, at: int, says: str) -> None:
    with pytest.raises(PatternError, match=re.escape(says)) as caught:
        Pattern(text)
    assert caught.value.at == at


@pytest.mark.parametrize("text", ["(a+)+$", "(a|a)*b", "a.*a.*a.*b", "(.*)*x", "((a?){20}){20}b"])
def test_no_text_makes_a_pattern_slow(text: str) -> None:
    """``re`` would not end this year; the limit of the whole suite is what is asserted."""
    assert not Pattern(text).search(b"a" * 100_000 + b"!")


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SETS", 3)
    pattern, known = Pattern("(a|b)*a(a|b){6}c"), re.compile(b"(a|b)*a(a|b){6}c")
    for number in range(256):
        subject = f"{number:08b}".replace("0", "a").replace("1", "b").encode() + b"c"
        assert pattern.search(subject) == (known.search(subject) is not None)
        assert len(pattern._sets) <= 3
