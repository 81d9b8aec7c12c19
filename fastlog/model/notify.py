"""Where alerts are sent: an entry ``[[notify]]`` of the rules file, checked.

Most rules files have none: what only such an entry needs is imported where it is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from fastlog.errors import UsageError
from fastlog.model.printable import printable

Body = Literal["event", "text"]

_TARGETS = ("url", "url_env", "url_file", "exec")
_KEYS = ("rules", *_TARGETS, "body")


class NotifyError(UsageError):
    """An entry that cannot be used.

    ``key`` is the one whose line may be shown, ``""`` where it is the whole entry, or
    where the line may hold a secret.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True)
class NotifyTarget:
    """One place to send to, the ``number``-th of the file, counted from 1.

    Exactly one of ``url``, ``url_env`` (a variable that holds the URL), ``url_file`` (a file
    that does) and ``exec`` (a program and its arguments, never a shell's line) is set.
    ``rules`` are patterns as of a shell, of which one must fit the rule's whole name.
    ``body`` is what is sent: the event as JSON, or ``{"text": message}``, which the incoming
    webhooks of chats take.
    """

    number: int
    rules: tuple[str, ...] = ("*",)
    url: str | None = None
    url_env: str | None = None
    url_file: str | None = None
    exec: tuple[str, ...] = ()
    body: Body = "event"

    @property
    def label(self) -> str:
        """How messages and metrics name it: unlike the others, and without what may be secret."""
        if self.exec:
            from pathlib import PurePath

            where = PurePath(self.exec[0]).name
        elif self.url is not None:
            from urllib.parse import urlsplit

            where = urlsplit(self.url).hostname or "url"
        else:
            where = f"${self.url_env}" if self.url_env is not None else f"{self.url_file}"
        return printable(f"notify {self.number} ({where})")

    def wants(self, rule: str) -> bool:
        """Whether alerts of that rule go there."""
        from fnmatch import fnmatchcase

        return any(fnmatchcase(rule, pattern) for pattern in self.rules)


def parse_notify(entry: Mapping[str, object], number: int) -> NotifyTarget:
    """The target of the ``number``-th entry, as a TOML reader gives it.

    Raises NotifyError, whose message has no secret in it. Looks at nothing but the
    entry: whether variable, file and program are there shows when the run begins.
    """
    for key in entry:
        if key not in _KEYS:
            shown = "" if "://" in str(entry[key]) else key  # it may be a "url" misspelt
            raise NotifyError(shown, f"notify {number} has no {key!r}: give {', '.join(_KEYS)}")
    given = [key for key in _TARGETS if key in entry]
    if len(given) != 1:
        had = " and ".join(given) or "none"
        raise NotifyError(
            given[1] if given else "", f"notify {number} has {had}: give one of {', '.join(_TARGETS)}"
        )
    where = given[0]
    return NotifyTarget(
        number,
        rules=_texts(entry, "rules", number) if "rules" in entry else ("*",),
        url=check_url(_text(entry, "url", number), f"notify {number}: url") if where == "url" else None,
        url_env=_variable(entry, number) if where == "url_env" else None,
        url_file=_text(entry, "url_file", number) if where == "url_file" else None,
        exec=_texts(entry, "exec", number) if where == "exec" else (),
        body=_body(entry, number),
    )


def check_url(url: str, where: str) -> str:
    """``url``, if it can be posted to. Raises NotifyError that names ``where`` and does not show the URL."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets, or a port that is no number
        usable = False
    if not usable or not url.isprintable() or " " in url:
        raise NotifyError("", f"{where} is no URL to post to: give one of http:// or https://, with a host")
    return url


def _text(entry: Mapping[str, object], key: str, number: int) -> str:
    value = entry[key]
    if not isinstance(value, str) or not value or "\0" in value:
        shown = "" if key == "url" else key
        raise NotifyError(shown, f'notify {number}: {key} is no text: write it as {key} = "..."')
    return value


def _variable(entry: Mapping[str, object], number: int) -> str:
    name = _text(entry, "url_env", number)
    if "=" in name or "://" in name:  # a URL that stands here by mistake may be secret
        raise NotifyError("", f"notify {number}: url_env is no name of a variable: the URL goes into it")
    return name


def _texts(entry: Mapping[str, object], key: str, number: int) -> tuple[str, ...]:
    value = entry[key]
    texts = (
        tuple(text for text in value if isinstance(text, str) and "\0" not in text)
        if isinstance(value, list)
        else ()
    )
    if not isinstance(value, list) or not value or len(texts) < len(value) or not texts[0]:
        raise NotifyError(
            key, f'notify {number}: {key} is no list of texts: write it as {key} = ["...", "..."]'
        )
    return texts


def _body(entry: Mapping[str, object], number: int) -> Body:
    for body in get_args(Body):
        if entry.get("body", "event") == body:
            known: Body = body
            return known
    raise NotifyError(
        "body", f"notify {number}: body is {entry['body']!r}: give one of {', '.join(get_args(Body))}"
    )
