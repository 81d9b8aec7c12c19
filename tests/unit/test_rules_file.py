"""The rules file: what it means, and every fault in it pointed at."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlog.errors import RuleError, UsageError
from fastlog.model.measured import Entry
from fastlog.model.rules import Rule
from fastlog.model.sketch import cell_of
from fastlog.parsers.measure import RuleFold
from fastlog.rulebook.expression import FIELDS, ExpressionError
from fastlog.rulebook.file import LARGEST_FILE, MOST_RULES, parse_rules, read_rules
from fastlog.rulebook.sentence import sentence
from fastlog.rulebook.watch import Hit, Watch, predicate

WHOLE = """\
[[rule]]
name = "5xx share"
where = "status >= 500"
measure = "share"
of = "method == 'GET'"
per = "section"
window = 60
above = 0.05
recover = 0.02
for = 10
min_hits = 100
"""
LEAST = '[[rule]]\nname = "x"\nmeasure = "hits"\nwindow = 60\nbelow = 1\n'


def parsed(text: str | bytes) -> tuple[Rule, ...]:
    return parse_rules("r.toml", text if isinstance(text, bytes) else text.encode()).rules


def faults(text: str | bytes) -> list[str]:
    """The messages of a file, each with its line and what the caret stands under."""
    with pytest.raises(RuleError) as caught:
        parsed(text)
    lines = [str(caught.value), *caught.value.__notes__]
    found = []
    for message, source, caret in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        assert caret.strip() == "^"
        assert message.startswith("r.toml:")
        found.append(f"{message.removeprefix('r.toml:')} <{source[len(caret) - 1 :]}>")
    return found


def test_every_key_has_its_place() -> None:
    assert parsed(WHOLE + LEAST) == (
        Rule(
            name="5xx share", where="status >= 500", measure="share", of="method == 'GET'", per="section",
            window=60, above=0.05, recover=0.02, hold=10, min_hits=100,
        ),
        Rule(name="x", measure="hits", window=60, below=1.0),
    )  # fmt: skip


def test_a_file_without_rules_has_none() -> None:
    assert parsed("# nothing yet\n") == ()
    told = parse_rules("r.toml", b'[[notify]]\nurl = "https://example.org"\nrules = ["x*"]\n')
    assert (told.rules, [target.rules for target in told.notify]) == ((), [("x*",)])


FAULTS = [
    ("where", "wehre", ["3:1: a rule has no 'wehre'; did you mean 'where'? <wehre"]),
    ("for", "fro", ["10:1: a rule has no 'fro'; did you mean 'for'? <fro"]),
    ('"share"', '"shares"', ["4:11: expected one of hits, rate,", "; did you mean 'share'? <\"shares"]),
    ('"section"', "7", ["6:7: expected one of section, status, method, host <7>"]),
    ("60", "60.0", ["7:10: expected a whole number from 1 to 86400 <60.0>"]),
    ("60", "true", ["7:10: expected a whole number"]),
    ("60", "0", ["7:10: expected a whole number"]),
    ("0.05", "1.5", ["8:9: expected a share, from 0 to 1 <1.5>"]),
    ("0.05", "nan", ["8:9: expected a share, from 0 to 1 <nan>"]),
    ("0.02", "0.06", ["9:11: expected a number up to 0.05, the quiet side of above <0.06>"]),
    ("for = 10", "below = 0.1", ["10:1: a rule has above or below, not both", "<below"]),
    ("above = 0.05\n", "", ["1:1: this rule has no threshold: expected above"]),
    ("window = 60\n", "", ["1:1: this rule has no window"]),
    ('name = "5xx share"\n', "", ["1:1: this rule has no name"]),
    ('"5xx share"', '"traffic"', ["2:8: 'traffic' is the alert that --threshold sets"]),
    ('"5xx share"', '""', ["2:8: expected a text of 1 to 100"]),
    ('"share"', '"hits"', ["5:1: only a share has an \"of\""]),
    ("status >= 500", "status => 500", ["3:17: expected one of == != <", "not '='"]),
    ("status >= 500", "stats >= 500", ["3:10: expected a field", "; did you mean 'status'? <stats"]),
    ("status >= 500", "status >= 5xx", ["3:20: this is no number", "<5xx\">"]),
    ("status >= 500", "status >= '500'", ["3:20: expected a number for status, not \"'500'\""]),
    ("status >= 500", "status =~ '5..'", ["3:17: expected one of ==", "(status is a number)"]),
    ("status >= 500", "section > '/a'", ["3:18: expected one of == != =~ starts_with in", "is a text)"]),
    ("status >= 500", "section =~ '/a(b'", ["3:24: this group is not closed"]),
    ("status >= 500", "status = 500", ["3:17: ", "did you mean '=='?"]),
    ("status >= 500", "status >= 500 && bytes > 1", ["3:24: ", "did you mean 'and'?"]),
    ("status >= 500", "status >= 500 ans bytes > 1", ["3:24: ", "did you mean 'and'?"]),
    ("status >= 500", "status in 500", ["3:20: expected '(' and a list"]),
    ("status >= 500", "status in (500", ["3:24: expected ',' or ')', not the end"]),
    ("status >= 500", "(status >= 500", ["3:24: expected 'and', 'or' or ')', not the end"]),
    ("status >= 500", "status >= 500)", ["3:23: expected 'and', 'or' or the end"]),
    ("status >= 500", "section == '/a", ["3:21: the text that begins here has no closing quote"]),
    ("status >= 500", "bytes > 1.5", ["3:18: expected a whole number for bytes"]),
    ("status >= 500", "duration > 0.1us", ["3:21: finer than a microsecond"]),
    ("status >= 500", "status ; 1", ["3:17: ';' means nothing here"]),
    ("status >= 500", "__import__('os')", ["3:10: expected a field"]),
    ("status >= 500", " ", ["3:9: expected an expression"]),
    ('"status >= 500"', "500", ["3:9: expected an expression in quotes"]),
    ("status >= 500", "not " * 60 + "status > 1", ["nested over 50 deep"]),
    ("status >= 500", "(" * 5000, ["3:10: over 4096 characters"]),
    ("[[rule]]", "[[rules]]", ["1:1: 'rules' is not known here: expected [[rule]] or", "did you mean"]),
    ("[[rule]]", "[rule]", ["1:1: rule is no list of tables: begin each with [[rule]]"]),
    ("[[rule]]", "x = 1\n[[rule]]", ["1:1: 'x' is not known here"]),
    ("[[rule]]", "[[rule]", ["1:7: not TOML: expected ']]'"]),
    ("60", "", ["7:10: not TOML: "]),
    ("min_hits = 100", "[rule.where2]", ["11:1: a rule has no 'where2'; did you mean 'where'?"]),
    ("min_hits = 100", "a.b = 1", ["11:1: a rule has no 'a'"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), FAULTS)
def test_a_fault_is_pointed_at(old: str, new: str, told: list[str]) -> None:
    [fault] = faults(WHOLE.replace(old, new, 1))
    for part in told:
        assert part in fault
    assert fault.startswith(told[0]) or told[0][0].isalpha()


@pytest.mark.parametrize("number", ["1e18", "inf", "-1", "1" + "0" * 400])
def test_the_bounds_of_a_threshold_are_told(number: str) -> None:
    [fault] = faults(LEAST.replace("below = 1", f"below = {number}"))
    assert fault.startswith("5:9: expected a number from 0 to 10^15 <")


def test_a_number_longer_than_python_reads() -> None:
    [fault] = faults(LEAST + "min_hits = 1" + "0" * 5_000 + "\n")
    assert fault.startswith("6:12: a number of too many digits: expected one of fewer than 20")


def test_every_fault_is_told_in_the_order_of_the_file() -> None:
    text = WHOLE.replace("window = 60", "window = 0").replace("where", "were") + LEAST + LEAST
    assert [fault.split(" ")[0] for fault in faults(text)] == ["3:1:", "7:10:", "18:8:"]


def test_so_many_faults_are_told_and_no_more() -> None:
    with pytest.raises(RuleError) as caught:
        parsed("[[rule]]\n" + "".join(f"k{number} = 1\n" for number in range(50)))
    assert caught.value.__notes__[-1] == "r.toml: 34 more like these"


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ('where = "ö == 1"', "3:10"),
        (r'where = "section == \"\\a\" and x == 1"', "3:33"),
        ("where = '''\nstatus == 1 and\n  x == 1'''", "5:3"),
        ('where = """\nstatus == 1 and \\\n   x == 1"""', "5:4"),
        ('\twhere = "x == 1"', "3:11"),
        ('"where" = "\\u0078 == 1"', "3:12"),
        ('where = "x == 1" # "[[rule]]" = 1', "3:10"),
    ],
)
def test_a_place_within_a_string_is_found_however_it_is_written(where: str, place: str) -> None:
    [fault] = faults(
        WHOLE.replace('where = "status >= 500"', where).replace("of = \"method == 'GET'\"\n", "")
    )
    assert fault.startswith(f"{place}: ")
    assert "expected a field" in fault or "'ö' means nothing" in fault


def test_lines_that_end_as_on_windows() -> None:
    assert parsed(WHOLE.replace("\n", "\r\n")) == parsed(WHOLE)
    [fault] = faults(WHOLE.replace("60", "0").replace("\n", "\r\n"))
    assert fault.startswith("7:10: ")


def test_what_is_no_text_is_pointed_at() -> None:
    [fault] = faults(b'[[rule]]\nname = "\xff"\n')
    assert fault.startswith("2:9: this is not UTF-8")


def test_a_hostile_file_writes_nothing_raw() -> None:
    with pytest.raises(RuleError) as caught:
        parsed('[[rule]]\n"\\u001b[2J" = 1\nx\u202e = 1\n')
    assert "\x1b" not in "".join([str(caught.value), *caught.value.__notes__])
    assert "\u202e" not in "".join(caught.value.__notes__[:2])


def test_a_fault_of_a_notify_entry_is_pointed_at_and_shows_no_secret() -> None:
    [fault] = faults(LEAST + '[[notify]]\nexec = ["a"]\nbody = "xml"\n')
    assert fault.startswith("8:8: notify 1: body is 'xml'")
    [fault] = faults('[[notify]]\nurl = "ftp://user:secret@example.org"\n')
    assert fault.startswith("1:1: notify 1: url is no URL")
    assert "secret" not in fault


def test_inline_tables_are_rules_too() -> None:
    text = 'rule = [{ name = "x", measure = "hits", window = 60, below = 1 }]\n'
    assert parsed(text) == parsed(LEAST)
    [fault] = faults(text.replace("60", "0"))
    assert fault.startswith("1:1: expected a whole number")


@pytest.mark.parametrize("deep", ["[" * 5000, "x = " + "[" * 100_000, "x = " + "{a=" * 50_000])
def test_a_file_that_is_nested_for_ever_is_refused(deep: str) -> None:
    assert len(faults(deep)) == 1


def test_a_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(UsageError, match="smaller file"):
        read_rules(path)
    with pytest.raises(UsageError, match="No such file"):
        read_rules(tmp_path / "none.toml")
    many = "".join(LEAST.replace('"x"', f'"{number}"') for number in range(MOST_RULES + 1))
    assert "over 100 rules" in faults(many)[0]


@settings(max_examples=300)
@given(
    st.one_of(st.text(max_size=80), st.text("[]rule={}\"'#\n\\ax1.,", max_size=80), st.binary(max_size=60))
)
def test_no_file_makes_a_traceback(text: str | bytes) -> None:
    """Whatever it holds is rules, or a RuleError that says where, and nothing else."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    for whole in (raw, LEAST.encode() + raw, LEAST.encode() + b"where = '''" + raw + b"'''"):
        said = ""
        try:
            parse_rules("r.toml", whole)
        except RuleError as error:
            said = str(error)
        assert not said or re.match(r"r\.toml:[1-9][0-9]*:[1-9][0-9]*: .", said)


HITS = [
    Hit(b"/api", b"GET", 200, b"10.0.0.1", 512, 120_000, b"/api/users?x=1"),
    Hit(b"/api", b"POST", 503, b"10.0.0.2", 0, 2_500_000, b"/api/users"),
    Hit(b"/", b"GET", 304, b"2001:db8::1", 0, None, b"/"),
    Hit(b"-", b"-", 400, b"10.0.0.1", 200, 10, b"-"),
]


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ("", [0, 1, 2, 3]),
        ("status == 200", [0]),
        ("status != 200", [1, 2, 3]),
        ("status < 400", [0, 2]),
        ("status <= 400", [0, 2, 3]),
        ("status > 400", [1]),
        ("status >= 400 and not status >= 500", [3]),
        ("status in (200, 304)", [0, 2]),
        ("not (status in (200,304) or section == '-')", [1]),
        ("method == 'GET' and section == '/api' or status == 400", [0, 3]),
        ("method == 'GET' and (section == '/api' or status == 400)", [0]),
        ("section starts_with '/a'", [0, 1]),
        ("section =~ '^/$'", [2]),
        ('host == "10.0.0.1"', [0, 3]),
        ("host =~ ':'", [2]),
        ("bytes > 200", [0]),
        ("target =~ '[?]'", [0]),
        ("duration > 0.1", [0, 1]),
        ("duration >= 120ms", [0, 1]),
        ("duration <= 10us", [3]),
        ("duration == 2.5s", [1]),
        ("duration != 2.5", [0, 3]),
        ("not duration != 2.5", [1, 2]),
        ("duration in (10us, 2.5)", [1, 3]),
        ("method in ('GET', \"POST\")", [0, 1, 2]),
    ],
)
def test_an_expression_wants_its_hits(where: str, wanted: list[int]) -> None:
    fits = predicate(where)
    assert [number for number, hit in enumerate(HITS) if fits(hit)] == wanted


@settings(max_examples=300)
@given(st.lists(st.sampled_from((*FIELDS, "and", "or", "not", "(", ")", "==", "in", "=~", "'a'", "1", ","))))
def test_no_expression_makes_a_traceback(words: list[str]) -> None:
    fits = None
    with suppress(ExpressionError):
        fits = predicate(" ".join(words))
    if fits is not None:
        assert {fits(hit) for hit in HITS} <= {True, False}


def rule(**fields: object) -> Rule:
    return Rule(**{"name": "x", "measure": "hits", "window": 60, "above": 1.0, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "needs"),
    [
        (rule(), set()),
        (rule(where="status > 1 and section =~ 'a'", per="method"), {"status", "section", "method"}),
        (rule(measure="share", where="status > 1", of="host == 'a'"), {"status", "host"}),
        (rule(per="host"), {"host"}),
        (rule(measure="bytes"), {"bytes"}),
        (rule(measure="p95"), {"duration"}),
        (rule(where="not target =~ 'x' or (bytes > 1 and bytes < 9)"), {"target", "bytes"}),
    ],
)
def test_a_rule_knows_what_it_needs(made: Rule, needs: set[str]) -> None:
    assert Watch(made).needs == needs


def test_a_worker_measures_for_each_rule_and_key() -> None:
    rules = [
        rule(),
        rule(per="host"),
        rule(measure="bytes", where="bytes > 0"),
        rule(measure="p50", per="status"),
        rule(measure="share", where="bytes > 200", of="host starts_with '10.'"),
    ]
    fold = RuleFold(rules)
    hits = [HITS[at] for at in (0, 1, 3, 2)]
    places = [(0, 50), (0, 50), (0, 51), (1, 50)]
    requests = [hit.method + b" " + hit.section for hit in hits]
    statuses = [hit.status for hit in hits]
    details = [(hit.duration, hit.host, hit.target) for hit in hits]
    cells = [None if hit.duration is None else cell_of(hit.duration) for hit in hits]
    measured = fold.measure((places, requests, statuses, [hit.size for hit in hits], details, cells))
    entries = [
        entry._replace(cells=list(entry.cells), counts=list(entry.counts)) for entry in measured.entries()
    ]
    assert entries == [
        Entry(0, 0, 50, b"", 2, 2, 0, [], []),
        Entry(1, 0, 50, b"10.0.0.1", 1, 1, 0, [], []),
        Entry(2, 0, 50, b"", 1, 1, 512, [], []),
        Entry(3, 0, 50, b"200", 1, 1, 0, [757], [1]),
        Entry(4, 0, 50, b"", 1, 2, 0, [], []),
        Entry(1, 0, 50, b"10.0.0.2", 1, 1, 0, [], []),
        Entry(3, 0, 50, b"503", 1, 1, 0, [1036], [1]),
        Entry(0, 0, 51, b"", 1, 1, 0, [], []),
        Entry(1, 0, 51, b"10.0.0.1", 1, 1, 0, [], []),
        Entry(2, 0, 51, b"", 1, 1, 200, [], []),
        Entry(3, 0, 51, b"400", 1, 1, 0, [10], [1]),
        Entry(4, 0, 51, b"", 0, 1, 0, [], []),
        Entry(0, 1, 50, b"", 1, 1, 0, [], []),
        Entry(1, 1, 50, b"2001:db8::1", 1, 1, 0, [], []),
    ]
    assert [entry.key for entry in measured.entries(1)] == [b"", b"2001:db8::1"]
    assert list(measured.entries(2)) == []
    twice = measured.followed_by(measured, 2)
    assert list(twice.entries(1)) == list(measured.entries(1))
    assert [e._replace(segment=0) for e in twice.entries(2)] == list(measured.entries(0))
    assert fold.needs == {"host", "bytes", "duration", "status"}
    assert fold.wants_details
    assert not RuleFold(rules[:1]).wants_details


def test_a_rule_says_what_it_will_watch() -> None:
    share, least = parsed(WHOLE + LEAST)
    assert sentence(share) == (
        "5xx share: for each section, fires when the share of hits with status >= 500 among hits with "
        "method == 'GET' over 60 s is above 0.05 and has been for 10 s; recovers when it is at or below "
        "0.02; fewer than 100 hits in the window change nothing."
    )
    assert sentence(least) == (
        "x: fires when the number of hits over 60 s is below 1; recovers when it is at or above 1."
    )
    assert "the duration that 95% of hits with host == 'a' do not exceed over 5 s is above 0.5 s" in sentence(
        rule(measure="p95", where=" host == 'a' ", window=5, above=0.5)
    )


def test_the_command_says_it(fastlog: Callable, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(WHOLE + LEAST)
    done = fastlog("--check-rules", "rules.toml")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().count("\n") == 2
    (tmp_path / "rules.toml").write_text(WHOLE.replace("0.02", "0.06"))
    for arguments in (["--check-rules", "rules.toml"], ["--rules", "rules.toml", "no.log"]):
        done = fastlog(*arguments)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode() == (
            "fastlog: rules.toml:9:11: expected a number up to 0.05, the quiet side of above\n"
            "    recover = 0.06\n"
            "              ^\n"
        )
    done = fastlog("--check-rules", "none.toml")
    assert (done.returncode, done.stdout) == (2, b"")
    assert (
        done.stderr
        == b"fastlog: none.toml: No such file or directory: give --rules a file that can be read\n"
    )
