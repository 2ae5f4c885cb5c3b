import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import model
from analyzer.errors import UsageError
from analyzer.reporter.filters import FIELDS, parse_filter
from tests.reporter.builders import (
    certificate,
    closed,
    connection,
    diverged,
    exchange,
    handshake,
    http,
    http2,
    http2_showcase,
    on_stream,
    opened,
    refused,
    stream,
    tls,
    tls_showcase,
    unknown,
)

ORDINARY = connection(notes=model.Notes(retransmissions=2), vlan=[5, 100])
OVER_IPV6 = connection(client=("2001:db8::17", 50000), server=("2001:db8:1::1", 443))
MID_STREAM = connection(open=opened("", **unknown()), timing=model.Timing(), close=closed("", closed_by=None))

WEB = connection(
    http=http(
        exchange("GET /a?b=1"), exchange("POST /api/x[1]", 503, interim=[100]), exchange("HEAD /gone", None),
        exchanges_not_listed=2,
    ),
    lifecycle=opened("", flow="lifecycle/http1-connection"),
    tunnel=model.Tunnel("CONNECT a:80", model.PerSide(), http=http(exchange("PUT /inside", 201))),
)  # fmt: skip

SECURE = connection(
    tls=tls(
        handshake(), handshake(flow="tls/1.2-renegotiation", outcome="incomplete", cause="open-at-end"),
        server_name="WWW.Example.test", client_certificates=[certificate(subject="CN=alice", names=[])],
        certificates=[certificate(subject="CN=Example", problems=["expired by 3 days at the time of the capture"])],
        alerts=[model.Alert("server", "fatal", "handshake_failure", 9), model.Alert("client", None, None, 9, True)],
    ),
)  # fmt: skip
INSIDE = connection(
    http=http(exchange("CONNECT a:443", 200, 0)),
    tunnel=model.Tunnel(
        "CONNECT a:443", model.PerSide(),
        tls(version="SSL 3.0", strength="broken", server_name=None, resumed=True, decrypted=False, alpn=None,
            key_exchange="rsa", ja3=None, certificates=[]),
    ),
)  # fmt: skip
HIDDEN = connection(tls=tls(opened("", **unknown()), version=None, resumed=None, strength=None, alpn="h2[a]"))
STREAMS = connection(
    http=http2(
        stream(1, multiplexed_with=[3], interleaved=True),
        stream(3, verdict=on_stream("reset"), reset=model.Reset("client", "CANCEL", 9)),
        stream(5, verdict=on_stream(**unknown("diverged", None)), grpc=model.Grpc(5, model.PerSide(1, 1))),
        stream(7, verdict=on_stream(outcome="incomplete", cause="open-at-end"), grpc=model.Grpc(0, model.PerSide())),
        max_concurrent=2, goaway=[model.Goaway("server", "ENHANCE_YOUR_CALM", 5, 40)],
        stalls=[model.Stall(1, "server", 0, 5, 30)],
    ),
)  # fmt: skip
PUSHED = connection(http=http2(stream(2, pushed=True, verdict=on_stream("pushed"))))
UPGRADED = connection(
    http=http(exchange("GET /", 101, 0)),
    tunnel=model.Tunnel(
        "Upgrade h2c", model.PerSide(),
        http=http2(stream(1, verdict=on_stream(**unknown("diverged", None))), connection=opened(flow="http2/upgraded")),
    ),
)  # fmt: skip
ALL = (ORDINARY, OVER_IPV6, MID_STREAM, WEB, SECURE, INSIDE, HIDDEN, STREAMS, PUSHED, UPGRADED, refused(), diverged(),
       *tls_showcase(), *http2_showcase())  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "subject"),
    [
        ("server.port=80", ORDINARY),
        ("port=50112", ORDINARY),
        ("port!=443", ORDINARY),
        ("server.port=443|80", ORDINARY),
        ("server.port!=443|8443", ORDINARY),
        ("client.port>1024", ORDINARY),
        ("address=10.0.0.2", ORDINARY),
        ("client.address=10.0.0.0/8", ORDINARY),
        ("client.address!=192.168.0.0/16", ORDINARY),
        ("address=2001:db8::/48", OVER_IPV6),
        ("server.address=2001:0DB8:1:0::1", OVER_IPV6),
        ("address=[2001:db8::17]", OVER_IPV6),
        ("address!=10.0.0.0/8", OVER_IPV6),
        ("open=tcp-open/three-way-handshake", ORDINARY),
        ("open=three-way-handshake", ORDINARY),
        ("open=tcp-open/refused", refused()),
        ("open=refused|unanswered", refused()),
        ("close=*way", ORDINARY),
        ("close=tcp-close/*", ORDINARY),
        ("close!=*reset*", ORDINARY),
        ("close=none", diverged()),
        ("outcome=diverged", diverged()),
        ("close.outcome=variant|diverged", diverged()),
        ("open.outcome=d*", ORDINARY),
        ("cause=mid-stream", MID_STREAM),
        ("close.cause=never-opened", refused()),
        ("closed_by=client", ORDINARY),
        ("closed_by=none", refused()),
        ("oriented_by=syn", ORDINARY),
        ("packets=42", ORDINARY),
        ("packets<43 packets>=42", ORDINARY),
        ("bytes>42k", ORDINARY),
        ("client.bytes<=1.834kB", ORDINARY),
        ("duration>81ms duration<0.1s", ORDINARY),
        ("duration>0.08 duration<0.082", ORDINARY),  # seconds
        ("rtt<1ms", ORDINARY),
        ("rtt=0.31ms|310us", ORDINARY),
        ("rtt<1m", ORDINARY),
        ("rtt=none", MID_STREAM),
        ("rtt!=none", ORDINARY),
        ("vlan=100", ORDINARY),
        ("vlan=none", OVER_IPV6),
        ("capture=web*", ORDINARY),
        ("capture=web.pcapng", connection(capture="captures/web.pcapng")),
        ("capture=captures/*", connection(capture="captures/web.pcapng")),
        ("capture='web.pcapng'", ORDINARY),
        ("retransmissions>1", ORDINARY),
        ("faults=0", ORDINARY),
        ("http=http1/keep-alive", WEB),
        ("http=keep-alive|pipelined", WEB),
        ("http=none", ORDINARY),
        ("http!=keep-alive", ORDINARY),
        ("http.outcome=variant outcome=variant", WEB),
        ("http.version=HTTP/1.1 http.version=1.1", WEB),
        ("http.version=none", ORDINARY),
        ("lifecycle=http1-connection lifecycle.outcome=documented", WEB),
        ("method=POST", WEB),
        ("method=GET method=POST", WEB),  # of two exchanges
        ("method=PUT target=/inside status=201", WEB),
        ("method=none", ORDINARY),
        ("target=/a?b=1", WEB),
        ("target=/api/*", WEB),
        ("target=/api/x[1]", WEB),  # not a set of characters
        ("authority=EXAMPLE.test", WEB),
        ("status=503|504", WEB),
        ("status>=500", WEB),
        ("status<200", WEB),  # the interim one
        ("status=none", WEB),  # unanswered
        ("status!=404", WEB),
        ("exchanges=5", WEB),
        ("exchanges=0", ORDINARY),
        ("tls=tls/1.3-full", SECURE),
        ("tls=1.3-full", SECURE),
        ("tls=1.3-* tls=1.2-renegotiation", SECURE),  # of two handshakes
        ("tls=none", ORDINARY),
        ("tls=1.3-full", INSIDE),  # of a tunnel
        ("tls.outcome=variant tls.outcome=incomplete outcome=incomplete", SECURE),
        ("tls.cause=open-at-end cause=open-at-end", SECURE),
        ("tls.cause=mid-stream tls=none", HIDDEN),
        ("tls.version='TLS 1.3' tls.version=1.3", SECURE),
        ("tls.version=1.2|1.3 tls.version!=1.2", SECURE),
        ("tls.version='ssl 3.0' tls.version=3.0", INSIDE),
        ("tls.version=none", HIDDEN),
        ("server_name=www.example.TEST sni=*.example.test", SECURE),
        ("server_name=none sni=none", INSIDE),
        ("sni!=*.example.test", ORDINARY),
        ("alpn=h2", SECURE),
        ("alpn=h2[a]", HIDDEN),  # not a set of characters
        ("alpn=none", INSIDE),
        ("cipher_suite=*_gcm_* cipher_suite!=*RC4*", SECURE),
        ("key_exchange=X25519", SECURE),
        ("strength=weak|broken key_exchange=rsa", INSIDE),
        ("strength=none", ORDINARY),
        ("ja3=cd08e31494f9531f560d64c695473da9 ja3s=15AF* ja4=t13d*", SECURE),
        ("resumed=no", SECURE),
        ("resumed=yes decrypted=no", INSIDE),
        ("resumed=none", HIDDEN),
        ("decrypted=yes", SECURE),
        ("decrypted=none", WEB),
        ("alert=handshake_failure alert=encrypted", SECURE),
        ("alert=none", HIDDEN),
        ("certificate=cn=example certificate=*.example.test certificate=*alice", SECURE),
        ("certificate=none", INSIDE),
        ("certificate.problem=expired*", SECURE),
        ("certificate.problem='expired by 3 *'", SECURE),
        ("certificate.problem=none", HIDDEN),
        ("certificate.problem!=none", SECURE),
        ("http=over-tls http=http2/* http.version=HTTP/2", STREAMS),
        ("http=upgraded http=keep-alive http.version=2 http.version=1.1", UPGRADED),  # inside and outside
        ("outcome=diverged outcome=incomplete cause=open-at-end", STREAMS),  # of streams
        ("outcome=diverged", UPGRADED),
        ("stream=3 stream!=4", STREAMS),
        ("stream>6", STREAMS),
        ("stream=none", WEB),
        ("stream.flow=http2-stream/reset stream.flow=reset|pushed", STREAMS),
        ("stream.flow=none", STREAMS),  # the diverged one
        ("stream.flow=none", ORDINARY),
        ("stream.outcome=diverged stream.cause=open-at-end", STREAMS),
        ("stream.flow=pushed pushed=yes multiplexed=no interleaved=no", PUSHED),
        ("multiplexed=yes interleaved=yes pushed=no max_concurrent>1 max_concurrent=2", STREAMS),
        ("multiplexed=none pushed=none interleaved=none max_concurrent=1", WEB),
        ("max_concurrent=none", ORDINARY),
        ("grpc.status=5 grpc.status=0 grpc.status>0", STREAMS),
        ("grpc.status=none", PUSHED),
        ("reset=cancel reset=C* resets=0", STREAMS),
        ("reset=none goaway=none stalls=0", connection(http=http2(stream(1)))),
        ("goaway=ENHANCE_YOUR_CALM stalls=1 stalls>0", STREAMS),
        ("stalls=none", ORDINARY),
    ],
)
def test_holds(expression, subject):
    assert parse_filter(expression)(subject)


@pytest.mark.parametrize(
    ("expression", "subject"),
    [
        ("server.port!=80", ORDINARY),
        ("port!=80", ORDINARY),  # the opposite of port=80, though the client's port is another
        ("address=10.0.0.0/8", OVER_IPV6),
        ("rtt>0ms", MID_STREAM),  # what was not measured is neither greater
        ("rtt<1h", MID_STREAM),  # nor less
        ("server.port=80 close=three-segment", ORDINARY),
        ("open=way", ORDINARY),
        ("open=*", MID_STREAM),
        ("method=get", WEB),  # methods are case-sensitive, RFC 9110 §9.1
        ("method!=GET", WEB),
        ("target=/api/x1", WEB),
        ("status>503", WEB),
        ("status!=none", ORDINARY),
        ("exchanges>0", ORDINARY),
        ("tls=*", ORDINARY),
        ("tls!=1.2-renegotiation", SECURE),
        ("tls.version=1", SECURE),
        ("sni=example.test", SECURE),
        ("alpn=h2a", HIDDEN),
        ("decrypted=no", ORDINARY),
        ("decrypted!=yes", SECURE),
        ("alert=none", SECURE),
        ("certificate=*bob", SECURE),
        ("certificate.problem=*mismatch*", SECURE),
        ("outcome=diverged", PUSHED),
        ("stream=2", STREAMS),
        ("stream.flow=pushed", STREAMS),
        ("stream.flow=*", WEB),
        ("stream.outcome=unseen", STREAMS),
        ("multiplexed=no", WEB),  # pipelining is something else
        ("reset=REFUSED_STREAM", STREAMS),
        ("grpc.status!=5", STREAMS),
        ("grpc.status>0", PUSHED),
        ("goaway=NO_ERROR", STREAMS),
    ],
)
def test_does_not_hold(expression, subject):
    assert not parse_filter(expression)(subject)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "is empty"),
        ("443", "a term is FIELD=VALUE"),
        ("sever.port=80", "; did you mean server.port or "),
        ("colour=red", "no field 'colour': `analyzer read --help` lists the fields"),
        ("server.port=", "the value is missing"),
        ("server.port=https", "write 443"),
        ("server.port=80||81", "alternative beside '|' is empty"),
        ("address=10.0.0", "is no address"),
        ("address=10.0.0.1:80", "port=…"),
        ("client.address=10.0.0.0/40", "is no address"),
        ("close<four-way", "compare it with = or !="),
        ("status=5xx", "write 443"),
        ("method<GET", "compare it with = or !="),
        ("outcome=divergd", "there are: documented, variant, diverged,"),
        ("closed_by=me", "there are: client, server, none"),
        ("duration>10x", "write 20ms"),
        ("packets>" + 5000 * "9", "is not understood"),
        ("bytes>1ms", "write 1500 or 10kB"),
        ("capture='web", "not closed"),
        ("decrypted=true", "there are: yes, no, none"),
        ("strength=bad", "there are: strong, acceptable, weak, broken"),
        ("tls.version<1.3", "compare it with = or !="),
        ("pushed=1", "there are: yes, no, none"),
        ("reset<CANCEL", "compare it with = or !="),
        ("grpc.status=NOT_FOUND", "write 443"),
        ("server_nam=x", "did you mean server_name"),
    ],
)
def test_errors_say_what_is_wrong(expression, says):
    with pytest.raises(UsageError) as caught:
        parse_filter(expression)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "?." not in str(caught.value)


@given(st.text())
def test_any_text_is_a_filter_or_a_usage_error(text):
    try:
        holds = parse_filter(text)
    except UsageError:
        return
    holds(ORDINARY)


@given(st.sampled_from(FIELDS), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.text(min_size=1))
def test_so_is_any_value(field, operator, value):
    try:
        holds = parse_filter(f"{field}{operator}{value}")
    except UsageError:
        return
    for subject in ALL:
        assert holds(subject) in (True, False)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_reads_every_connection(field):
    for subject in ALL:
        assert parse_filter(f"{field}=none")(subject) is not parse_filter(f"{field}!=none")(subject)


@pytest.mark.parametrize("field", FIELDS)
def test_what_is_inside_must_be_looked_into(field):
    inside = ("tls", "http", "lifecycle", "exchanges", "method", "target", "authority", "status", "cipher_suite",
              "key_exchange", "strength", "server_name", "sni", "alpn", "ja3", "ja3s", "ja4", "resumed", "decrypted",
              "alert", "certificate", "max_concurrent", "stream", "multiplexed", "interleaved", "pushed", "grpc",
              "reset", "goaway", "stalls")  # fmt: skip
    assert parse_filter(f"{field}!=none").needs_content is (field.partition(".")[0] in inside)
