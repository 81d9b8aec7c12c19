"""The named formats: a row each, with an example line and where it is defined.

``kind`` says in which language the ``text`` of a format is written:

- ``apache``, ``nginx``: a LogFormat or log_format string;
- ``template``: a string in which ``{name}`` is a row of ``FIELDS``;
- ``json``: ``KEY=FIELD,KEY=FIELD,...``; of several keys with one field the first that a line has counts;
- ``fields``: the names that hold until a ``#Fields`` line in the log gives others (``w3c``, ``cloudfront``);
- ``labels``: nothing, since each field of a line bears its label (``ltsv``).
"""

from typing import NamedTuple

from fastlog.formats.fields import MS, WITH_PORT, Field, S
from fastlog.formats.stamps import APACHE, EPOCH, ISO8601


class Entry(NamedTuple):
    """One named format. ``certain`` is a template of its newest lines, where older ones are shorter."""

    name: str
    kind: str
    text: str
    example: str
    source: str
    certain: str = ""


FIELDS = {
    "host": Field("host", "host"),
    "client": Field("client address", "host", "text", WITH_PORT),
    "port": Field("port", form="size"),
    "user": Field("user", "user", "text"),
    "apache time": Field("time", "time", "time", APACHE),
    "iso time": Field("time", "time", "time", ISO8601),
    "epoch time": Field("time", "time", "time", EPOCH),
    "haproxy time": Field("time", "time", "time", "%d/%b/%Y:%H:%M:%S"),
    "request": Field("request", "request", "text"),
    "absolute request": Field("request", "request", "text", "absolute"),
    "method": Field("method", "method"),
    "absolute target": Field("target", "target", pattern="absolute"),
    "protocol": Field("protocol", "protocol"),
    "status": Field("status", "status", "status"),
    "code": Field("status", "status", "code"),
    "size": Field("size", "size", "size"),
    "ms": Field("duration", "duration", "decimal", MS),
    "padded ms": Field("duration", "duration", "padded", MS),
    "seconds": Field("processing time", "part", "decimal", S),
    "referrer": Field("referrer", "referrer", "text"),
    "agent": Field("user agent", "agent", "text"),
    "authority": Field("virtual host", "vhost", "text"),
    "word": Field("word"),
    "text": Field("text", form="text"),
    "number": Field("number", form="decimal"),
    "captures": Field("captured headers", form="text"),
}
"""What may stand in a template."""

_LINE = '192.0.2.7 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'
_TAIL = ' "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'
_COMMON = '%h %l %u %t "%r" %>s %b'
_AGENT = ' "%{Referer}i" "%{User-Agent}i"'
_APACHE = "Apache HTTP Server 2.4, Log Files, Access Log"
_DEBIAN = "Debian's apache2.conf, other_vhosts_access.log"
_ELB = "{iso time} {word} {host}:{port} {word} {seconds} {seconds} {seconds} {code} {word} {number} {size}"
_ALB = "{word} " + _ELB + ' "{absolute request}" "{agent}" {word} {word} {word} "{text}"'
_QUOTED = r'(?:"[^"\n]*+"|-)'
_ALB_TAIL = (
    rf"(?:\Z| {_QUOTED} {_QUOTED} [^ \n]++ [^ \n]++ {_QUOTED} {_QUOTED}"
    rf"(?:\Z| {_QUOTED}(?:\Z| {_QUOTED} {_QUOTED}(?:\Z| {_QUOTED} {_QUOTED}))))"
)
FIELDS["alb tail"] = Field("rest of the line", form="tail", pattern=_ALB_TAIL)

_CLOUDFRONT = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
    "cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol "
    "cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type "
    "cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte "
    "x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end"
)

_ENTRIES = (
    Entry("common", "apache", _COMMON, _LINE, _APACHE),
    Entry("combined", "apache", _COMMON + _AGENT, _LINE + _TAIL, _APACHE + "; nginx's default"),
    Entry("vhost_common", "apache", "%v " + _COMMON, "www.example.com:80 " + _LINE, _APACHE),
    Entry(
        "vhost_combined", "apache", "%v " + _COMMON + _AGENT, "www.example.com:80 " + _LINE + _TAIL, _DEBIAN
    ),
    Entry(
        "traefik",
        "template",
        '{host} - {user} [{apache time}] "{request}" {code} {size} "{referrer}" "{agent}" {number} "{text}" '
        '"{text}" {ms}ms',
        '192.0.2.7 - - [08/Dec/2021:09:16:05 +0000] "GET /cgi-bin HTTP/1.1" 404 414 "-" "curl/7.68.0" 500 '
        '"web@docker" "http://10.0.0.3:80" 3ms',
        "Traefik 3, Access Logs, Common Log Format",
    ),
    Entry(
        "ingress_nginx",
        "nginx",
        '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
        '"$http_user_agent" $request_length $request_time [$proxy_upstream_name] '
        "[$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length $upstream_response_time "
        "$upstream_status $req_id",
        '192.0.2.7 - - [22/Feb/2023:22:02:59 +0000] "POST /api/jobs HTTP/1.1" 200 16 "-" '
        '"tasks/1.0" 902 0.247 '
        "[default-web-80] [] 10.0.74.255:8080 16 0.248 200 89f3c824055b4d87942831d74343fb9a",
        "Ingress-Nginx Controller, Log format",
    ),
    Entry(
        "haproxy",
        "template",
        "{client} [{haproxy time}] {word} {word} {number}/{number}/{number}/{number}/{ms} {code} "
        "{size} {word} "
        '{word} {word} {word} {word} {captures}"{request}"',
        "Feb  6 12:14:14 localhost haproxy[14389]: 192.0.2.7:33317 [06/Feb/2009:12:14:14.655] http-in "
        'static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"',
        "HAProxy 2.8, Configuration Manual, 8.2.3 HTTP log format",
    ),
    Entry(
        "envoy",
        "template",
        '[{iso time}] "{request}" {code} {word} {number} {size} {ms} {number} "{text}" "{agent}" "{text}" '
        '"{authority}" "{text}"',
        '[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" '
        '"nsq2http" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80"',
        "Envoy 1.31, Access logging, Default format string",
    ),
    Entry(
        "squid",
        "template",
        "{epoch time} {padded ms} {host} {word}/{code} {size} {method} {absolute target} {word} "
        "{word} {word}",
        "1525334330.556      3 192.0.2.7 TCP_REFRESH_MISS/200 2014 GET http://www.example.com/hello.txt - "
        "HIER_DIRECT/203.0.113.5 text/plain",
        "Squid 6, logformat, squid native",
    ),
    Entry(
        "aws_elb",
        "template",
        _ELB + ' "{absolute request}"',
        "2015-05-13T23:39:43.945958Z my-loadbalancer 192.0.2.7:2817 10.0.0.1:80 0.000073 0.001048 0.000057 "
        '200 200 0 29 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -',
        "Elastic Load Balancing, Classic Load Balancers, Access log entries",
    ),
    Entry(
        "aws_alb",
        "template",
        _ALB + "{alb tail}",
        "http 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.1:80 "
        '0.000 0.001 0.000 200 200 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - '
        "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "
        '"Root=1-58337262-36d228ad5d99923122bbe354" "-" "-" 0 2018-07-02T22:22:48.364000Z "forward" "-" "-" '
        '"10.0.0.1:80" "200" "-" "-"',
        "Elastic Load Balancing, Application Load Balancers, Access log entries",
        _ALB
        + ' "{text}" "{text}" {word} {word} "{text}" "{text}" "{text}" "{text}" "{text}" "{text}" "{text}"',
    ),
    Entry(
        "aws_s3",
        "template",
        '{word} {word} [{apache time}] {host} {word} {word} {word} {word} "{request}" {code} {word} {size} '
        '{word} {ms} {word} "{referrer}" "{agent}" {word}',
        "79a59df900b949e5 amzn-s3-demo-bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 79a59df900b949e5 "
        '3E57427F3EXAMPLE REST.GET.VERSIONING - "GET /amzn-s3-demo-bucket?versioning HTTP/1.1" '
        "200 - 113 - 7 - "
        '"-" "S3Console/0.4" -',
        "Amazon S3, Server access log format",
    ),
    Entry(
        "cloudfront",
        "fields",
        _CLOUDFRONT,
        "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\t"
        "d111111abcdef8.cloudfront.net\t/index.html\t200\t-\t"
        "Mozilla/5.0%20(Windows%20NT%2010.0)\t-\t-\tHit\tSOX4xwn4XV6Q4rgb7XiVGOHms==\t"
        "d111111abcdef8.cloudfront.net\thttps\t23\t0.001\t-\tTLSv1.2\tECDHE-RSA-AES128-GCM-SHA256\tHit\t"
        "HTTP/2.0\t-\t-\t11040\t0.001\tHit\ttext/html\t78\t-\t-",
        "Amazon CloudFront, Standard logging, Log file fields",
    ),
    Entry(
        "w3c",
        "fields",
        "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) "
        "cs(Referer) "
        "sc-status sc-substatus sc-win32-status time-taken",
        "2015-01-13 00:32:17 192.0.2.81 GET /robots.txt - 80 - 198.51.100.146 Mozilla/5.0+(compatible) - "
        "404 0 2 283",
        "W3C, Extended Log File Format (WD-logfile-960323); IIS, W3C Logging",
    ),
    Entry(
        "ltsv",
        "labels",
        "",
        "time:28/Feb/2013:12:00:00 +0900\thost:192.0.2.1\treq:GET /list HTTP/1.1\tstatus:200\tsize:5316\t"
        "ua:Mozilla/5.0\tapptime:0.126",
        "Labeled Tab-separated Values, ltsv.org, Labels for Web server's Log",
    ),
    Entry(
        "caddy",
        "json",
        "ts=time,request.remote_ip=host,request.client_ip=host,request.method=method,request.uri=target,"
        "request.proto=protocol,request.host=vhost,status=status,size=size,duration=duration_s,user_id=user",
        '{"level":"info","ts":1672221106.866,"logger":"http.log.access","msg":"handled request","request":'
        '{"remote_ip":"192.0.2.7","proto":"HTTP/1.1","method":"GET","host":"localhost","uri":"/?test=123"},'
        '"duration":0.000114941,"size":12226,"status":200}',
        "Caddy 2, Global options and log directive, json encoder",
    ),
    Entry(
        "traefik_json",
        "json",
        "StartUTC=time,time=time,ClientHost=host,ClientUsername=user,RequestMethod=method,"
        "RequestPath=target,RequestProtocol=protocol,RequestHost=vhost,DownstreamStatus=status,"
        "DownstreamContentSize=size,Duration=duration_ns",
        '{"ClientHost":"192.0.2.7","DownstreamContentSize":356,"DownstreamStatus":404,"Duration":215563,'
        '"RequestMethod":"GET","RequestPath":"/594VAEoi.dtd","StartUTC":"2021-12-08T14:02:43.464763557Z"}',
        "Traefik 3, Access Logs, JSON",
    ),
    Entry(
        "nginx_json",
        "json",
        "msec=time,time_iso8601=time,time_local=time,"
        "timestamp=time,@timestamp=time,time=time,remote_addr=host,"
        "remote_user=user,request=request,request_method=method,request_uri=target,uri=target,"
        "server_protocol=protocol,status=status,body_bytes_sent=size,bytes_sent=size,"
        "request_time=duration_s,host=vhost,http_host=vhost,http_referer=referrer,http_user_agent=agent",
        '{"time_iso8601":"2021-02-03T11:22:33+08:00","remote_addr":"192.0.2.7","request":"GET /order/2145 '
        'HTTP/1.1","status":"200","body_bytes_sent":"518","request_time":"0.544"}',
        "nginx, log_format with escape=json, the names of its variables as keys",
    ),
    *(
        Entry(f"{name}_tab", "apache", text.replace(" ", "\t"), example, "as above, TAB separated")
        for name, text, example in (
            ("common", _COMMON, '192.0.2.7\t-\t-\t[10/Oct/2000:13:55:36 -0700]\t"GET / HTTP/1.0"\t200\t2326'),
            (
                "combined",
                _COMMON + _AGENT,
                '192.0.2.7\t-\t-\t[10/Oct/2000:13:55:36 -0700]\t"GET / HTTP/1.0"\t200\t2326\t"-"\t"curl/8.0"',
            ),
            (
                "vhost_common",
                "%v " + _COMMON,
                'example.com\t192.0.2.7\t-\t-\t[10/Oct/2000:13:55:36 -0700]\t"GET / HTTP/1.0"\t200\t2326',
            ),
            (
                "vhost_combined",
                "%v " + _COMMON + _AGENT,
                'example.com\t192.0.2.7\t-\t-\t[10/Oct/2000:13:55:36 -0700]\t"GET / '
                'HTTP/1.0"\t200\t2326\t"-"\t"-"',
            ),
        )
    ),
)

CATALOG = {entry.name: entry for entry in _ENTRIES}

SPELLINGS = {
    "json:ts=time,req.method=method,req.uri=target,code=status,bytes=size,took=duration_ms": (
        '{"ts":1525334330.5,"req":{"method":"GET","uri":"/a/b"},"code":200,"bytes":512,"took":12.5}'
    ),
    '%h %t "%m %U%q" %>s %O %D': (
        '192.0.2.7 [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif?x=1" 200 2326 1032'
    ),
    "$time_iso8601 $remote_addr $request_method $scheme://$host$request_uri $status "
    "$bytes_sent $request_time": (
        "2021-02-03T11:22:33+08:00 192.0.2.7 GET https://example.com/order/2145 200 518 0.544"
    ),
}
"""Formats by other spellings, each with an example line."""
