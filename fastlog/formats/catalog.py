"""The named formats: a row each, with an example line and where it is defined."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One named format: its directives in order, an example line, its source."""

    name: str
    directives: tuple[str, ...]
    example: str
    source: str


_COMMON = ("%h", "%l", "%u", "%t", '"%r"', "%>s", "%b")
_AGENT = ('"%{Referer}i"', '"%{User-Agent}i"')
_LINE = '192.0.2.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'
_TAIL = ' "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'
_APACHE = "Apache HTTP Server 2.4, Log Files, Access Log"
_DEBIAN = "Debian's apache2.conf, other_vhosts_access.log"

CATALOG = {
    entry.name: entry
    for entry in (
        Entry("common", _COMMON, _LINE, _APACHE),
        Entry("combined", _COMMON + _AGENT, _LINE + _TAIL, _APACHE + "; nginx's default"),
        Entry("vhost_common", ("%v", *_COMMON), "www.example.com:80 " + _LINE, _APACHE),
        Entry("vhost_combined", ("%v", *_COMMON, *_AGENT), "www.example.com:80 " + _LINE + _TAIL, _DEBIAN),
    )
}
