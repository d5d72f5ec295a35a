"""What is measured: the protocols, the bootstraps, and the load on each."""

from dataclasses import dataclass
from pathlib import Path
from string import Template

BODY = 1024
TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
GRPC_HEADERS = ["content-type: application/grpc", "te: trailers"]


@dataclass(frozen=True)
class Protocol:
    """How the client speaks, and how many connections and streams it uses at most."""

    name: str
    upstream: str
    protocol_options: str
    conns: int
    streams: int
    rate_conns: int

    @property
    def expect(self):
        """Bytes of each response's body."""
        return BODY + 5 if self.name == "grpc" else BODY


H1 = Protocol("h1", "h1", "http_protocol_options", conns=64, streams=1, rate_conns=32)
H2 = Protocol("h2", "h2", "http2_protocol_options", conns=8, streams=32, rate_conns=8)
GRPC = Protocol("grpc", "grpc", "http2_protocol_options", conns=8, streams=32, rate_conns=8)


@dataclass(frozen=True)
class Scenario:
    """One row of the table. The targets are ratios to Envoy that Tandem must reach."""

    name: str
    title: str
    template: str
    protocol: Protocol
    target_saturated: float
    target_rate: float
    # Requests a second at the higher of the fixed rates.
    fast: int = 12_000
    # Whether the relay of the benchmark's own, which does nothing but pass on, is measured too.
    floor: bool = False

    @property
    def direct(self):
        """The scenario in which the same load is measured without a proxy."""
        return self.protocol.name


SCENARIOS = [
    Scenario("tcp", "TCP proxy", "tcp.yaml", H1, 0.85, 0.90, floor=True),
    Scenario("h1", "HTTP/1.1 plain", "plain.yaml", H1, 0.60, 0.65),
    Scenario("h1-full", "HTTP/1.1 full", "full.yaml", H1, 0.60, 0.65),
    Scenario("h2", "HTTP/2 plain", "plain.yaml", H2, 0.80, 0.70),
    Scenario("h2-full", "HTTP/2 full", "full.yaml", H2, 0.80, 0.70),
    Scenario("grpc", "gRPC unary plain", "plain.yaml", GRPC, 0.80, 0.70),
    Scenario("grpc-full", "gRPC unary full", "full.yaml", GRPC, 0.80, 0.70),
]


def render(template, **values):
    """A template of bench/load/templates, filled in."""
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    plain = {"downstream_tls": "", "upstream_tls": ""}
    return Template(text).substitute({**plain, **values}, decoy_routes=decoy_routes(20))


def decoy_routes(count):
    """Routes that ask for a header which no request has."""
    return "\n".join(
        f"              - match: {{ prefix: /, headers: [{{ name: x-bench-version, "
        f"string_match: {{ exact: v{number} }} }}] }}\n"
        f"                route: {{ cluster: upstream }}"
        for number in range(count))
