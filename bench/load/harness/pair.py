"""Two sidecars of one kind with mutual TLS between them, both on the proxy's core."""

from contextlib import contextmanager
from dataclasses import dataclass

from . import tls
from .errors import Failed
from .load import Call, connections
from .machine import PROXY_CPU
from .process import Cpu, Process, answers, free_ports
from .scenarios import H1, H2, Scenario, render

HTTP1, HTTP2 = "http_protocol_options", "http2_protocol_options"
ALPN = {HTTP1: ["http/1.1"], HTTP2: ["h2"], "": []}
RATE = 4_000


@dataclass(frozen=True)
class PairScenario(Scenario):
    """One row. `between` is the protocol from sidecar to sidecar."""

    between: str = ""
    fast: int = RATE
    target_p50: float = 0.50

    @property
    def direct(self):
        return f"pair-{self.protocol.name}"


PAIRS = [
    PairScenario("pair-tcp", "TCP", "tcp.yaml", H1, 0.80, 0.80, between="", target_p50=0.80),
    PairScenario("pair-h1", "HTTP/1.1", "plain.yaml", H1, 0.55, 0.55, between=HTTP1),
    PairScenario("pair-h1-full", "HTTP/1.1, full", "full.yaml", H1, 0.55, 0.55, between=HTTP1),
    PairScenario("pair-h1-h2", "HTTP/1.1, HTTP/2 between", "plain.yaml", H1, 0.55, 0.55, between=HTTP2),
    PairScenario("pair-h2", "HTTP/2", "plain.yaml", H2, 0.55, 0.55, between=HTTP2),
    PairScenario("pair-h2-full", "HTTP/2, full", "full.yaml", H2, 0.55, 0.55, between=HTTP2),
]
CONNECT = "pair-connect"


class Pair:
    """Both processes, read as if they were one."""

    def __init__(self, *both):
        self.both = both

    def check(self):
        """Fails when one has ended."""
        for one in self.both:
            one.check()

    def settle(self):
        """Lets what runs after the first answer come to rest."""
        self.both[0].settle()

    @property
    def pids(self):
        """Their numbers, as `perf` wants them."""
        return ",".join(one.pids for one in self.both)

    def cpu(self):
        """CPU time of both."""
        read = [one.cpu() for one in self.both]
        return Cpu(*(sum(getattr(one, name) for one in read) for name in ("ns", "user", "system")))

    def rss(self):
        """Resident MB of both."""
        return sum(one.rss() for one in self.both)


class Pairs:
    """Starts both sidecars of a target; the same files for every target."""

    def __init__(self, binaries, upstreams, directory, certs):
        self.binaries, self.upstreams = binaries, upstreams
        self.directory, self.certs = directory, certs

    @contextmanager
    def start(self, target, scenario, resume=True):
        """Yields (pair, call, None); the pair is None for `direct`."""
        protocol = scenario.protocol
        upstream = self.upstreams.ports[protocol.upstream]
        if target == "direct":
            yield None, Call(upstream, protocol, protocol.expect), None
            return
        front, back = free_ports(2)
        alpn = ALPN[scenario.between]
        server = self._one(target, scenario, "server", listen_port=back, upstream_port=upstream,
                           protocol_options=protocol.protocol_options,
                           downstream_tls=tls.server(self.certs, alpn))
        client = self._one(target, scenario, "client", listen_port=front, upstream_port=back,
                           protocol_options=scenario.between,
                           upstream_tls=tls.client(self.certs, alpn, resume))
        with server as server, client as client:
            pair = Pair(client, server)
            client.wait_until(lambda: pair.check() or answers(front))
            yield pair, Call(front, protocol, protocol.expect), None

    @contextmanager
    def _one(self, target, scenario, side, **values):
        [admin] = free_ports(1)
        name = f"{scenario.name}-{target}-{side}"
        log = self.directory / f"{name}.log"
        bootstrap = self.directory / f"{name}.yaml"
        text = render(scenario.template, admin_port=admin, access_log=log, **values)
        bootstrap.write_text(text, encoding="utf-8")
        command = self.binaries.command(target, bootstrap)
        try:
            with Process(name, command, PROXY_CPU, self.directory / f"{name}.out") as process:
                yield process
        finally:
            log.unlink(missing_ok=True)


def handshakes(settings, pairs, tool, results, number, target):
    """New TLS connections, one for each of the client's; every handshake is a full one."""
    with pairs.start(target, PAIRS[0], resume=False) as (pair, call, _):
        done = connections(tool, call, pair, settings.seconds, settings.warmup)
    if done["per_second"] == 0:
        raise Failed(f"{target} made no connections")
    results.add(CONNECT, target, "per_second", number, done["per_second"])
    results.add(CONNECT, target, "cpu_connection", number, done["cpu"])
    results.add(CONNECT, target, "busy", number, done["busy"])
