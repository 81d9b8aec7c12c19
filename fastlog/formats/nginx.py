"""nginx's log_format strings: the variables that are used, and the layout that a string stands for.

Any other variable is accepted and skipped, whatever module it is from.

Source: nginx, ngx_http_log_module and ngx_http_core_module, "Embedded Variables";
ngx_http_upstream_module for the lists.
"""

import re

from fastlog.formats.fields import END, Field, Layout, S
from fastlog.formats.stamps import APACHE, EPOCH, ISO8601

_VARIABLES = {
    "args": Field("query"),
    "body_bytes_sent": Field("size", "size", "size", rank=2),
    "bytes_sent": Field("size", "size", "size"),
    "connection": Field("connection", form="size"),
    "connection_requests": Field("connection requests", form="size"),
    "connection_time": Field("connection time", form="decimal"),
    "content_length": Field("content length", form="size"),
    "document_uri": Field("target", "target"),
    "host": Field("virtual host", "vhost", rank=2),
    "hostname": Field("host name"),
    "http_cookie": Field("cookie", form="text"),
    "http_host": Field("virtual host", "vhost"),
    "http_referer": Field("referrer", "referrer", "text"),
    "http_user_agent": Field("user agent", "agent", "text"),
    "http_x_forwarded_for": Field("forwarded addresses", form="list"),
    "is_args": Field("question mark", form="mark"),
    "msec": Field("time", "time", "time", EPOCH),
    "pipe": Field("pipelined"),
    "proxy_add_x_forwarded_for": Field("forwarded addresses", form="list"),
    "proxy_protocol_addr": Field("client address", "host"),
    "query_string": Field("query"),
    "realip_remote_addr": Field("client address", "host"),
    "remote_addr": Field("host", "host", rank=2),
    "remote_port": Field("port", form="size"),
    "remote_user": Field("user", "user", "text"),
    "request": Field("request", "request", "text"),
    "request_body": Field("request body", form="text"),
    "request_filename": Field("file name", form="text"),
    "request_length": Field("request length", form="size"),
    "request_method": Field("method", "method"),
    "request_time": Field("duration", "duration", "decimal", S),
    "request_uri": Field("target", "target", rank=2),
    "server_name": Field("virtual host", "vhost"),
    "server_port": Field("port", form="size"),
    "server_protocol": Field("protocol", "protocol"),
    "status": Field("status", "status", "status"),
    "the_real_ip": Field("host", "host"),
    "time_iso8601": Field("time", "time", "time", ISO8601),
    "time_local": Field("time", "time", "time", APACHE),
    "uri": Field("target", "target"),
}
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")
_JOINT = re.compile(r"'\s+'")


def parse_nginx(text: str) -> Layout:
    """The layout of a log_format string, also as it stands in nginx.conf: in several pieces in quotes."""
    whole = text.strip()
    if len(whole) > 1 and whole[0] == whole[-1] == "'":
        text = _JOINT.sub("", whole[1:-1])
    pairs: list[tuple[str, Field]] = []
    at = 0
    for found in _VARIABLE.finditer(text):
        pairs.append((_unescaped(text[at : found.start()]), _field(found[1] or found[2])))
        at = found.end()
    literal = _unescaped(text[at:])
    return (*pairs, (literal, END)) if literal else tuple(pairs)


def _unescaped(literal: str) -> str:
    return literal.replace(r"\t", "\t").replace(r"\"", '"')


def _field(name: str) -> Field:
    if name.startswith("upstream_"):
        return Field(name.replace("_", " "), form="list")
    if name.startswith(("http_", "sent_http_", "cookie_", "arg_")):
        return _VARIABLES.get(name) or Field(name, form="text")
    return _VARIABLES.get(name) or Field(name)
