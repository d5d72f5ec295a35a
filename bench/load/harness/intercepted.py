"""Traffic that iptables leads through both sidecars, at fixed rates."""

import sys
import time
from contextlib import ExitStack, contextmanager

from . import hosts, tls
from .errors import Failed, repeated
from .load import PINNED, Call, figures_at_rate, once
from .machine import LOAD_CPU, PROXY_CPU
from .pair import ALPN, HTTP1, HTTP2, Pair, PairScenario
from .process import Process, free_ports
from .scenarios import BODY, H1, H2, render
from .tools import find

TEMPLATE = "intercepted.yaml"


class Intercepted(PairScenario):
    """A pair that nobody names."""

    @property
    def direct(self):
        return self.name


INTERCEPTED = [
    Intercepted("intercepted-h1", "HTTP/1.1", TEMPLATE, H1, 0.55, 0.55, between=HTTP1),
    Intercepted("intercepted-h2", "HTTP/2", TEMPLATE, H2, 0.55, 0.55, between=HTTP2),
]


class World:
    """The two hosts, and an upstream on one of them for each scenario."""

    def __init__(self, binaries, tool, directory, certs):
        self.binaries, self.tool = binaries, tool
        self.directory, self.certs = directory, certs
        # The sidecars' user reads bootstraps and certificates.
        directory.chmod(0o755)

    def measure(self, settings, results):
        """All rounds of this part."""
        with hosts.Hosts() as self.hosts:
            for number in range(1, settings.rounds + 1):
                for scenario in INTERCEPTED:
                    if settings.scenarios and scenario.name not in settings.scenarios:
                        continue
                    turn = number % len(settings.targets)
                    for target in settings.targets[turn:] + settings.targets[:turn]:
                        print(f"round {number}/{settings.rounds}: intercepted "
                              f"{scenario.title}, {target}", file=sys.stderr, flush=True)
                        repeated(results, f"intercepted {scenario.title}, {target}",
                                 lambda scenario=scenario, target=target: self.one(
                                     settings, results, number, scenario, target))

    def one(self, settings, results, number, scenario, target):
        """Both rates of one scenario, with one target, in one round."""
        protocol, seconds, warmup = scenario.protocol, settings.seconds, settings.warmup
        with self.start(target, scenario) as (pair, call):
            for name, rate, conns in (("fast", scenario.fast, protocol.conns),
                                      ("slow", 2_000, protocol.rate_conns)):
                figures_at_rate(results, (scenario.name, target, number), name, self.tool, call, pair,
                                rate, seconds, warmup, conns, protocol.streams)

    @contextmanager
    def start(self, target, scenario):
        """Yields (pair, call); the pair is None for `direct`, which passes neither sidecar."""
        protocol = scenario.protocol
        client = hosts.within(self.hosts.client) + PINNED
        with ExitStack() as stack:
            stack.enter_context(self._nginx(protocol))
            if target == "direct":
                call = Call(hosts.OPEN, protocol, protocol.expect, host=hosts.SERVER,
                            before=hosts.within(self.hosts.client) + hosts.as_sidecar() + PINNED)
                self._wait(call, None)
                yield None, call
                return
            alpn = ALPN[scenario.between]
            both = [
                stack.enter_context(self._sidecar(
                    target, scenario, self.hosts.client, listen_port=hosts.OUTBOUND,
                    protocol_options=scenario.between,
                    upstream_tls=tls.client(self.certs, alpn))),
                stack.enter_context(self._sidecar(
                    target, scenario, self.hosts.server, listen_port=hosts.INBOUND,
                    protocol_options=protocol.protocol_options,
                    downstream_tls=tls.server(self.certs, alpn))),
            ]
            pair = Pair(*both)
            call = Call(hosts.INTERCEPTED, protocol, protocol.expect, host=hosts.SERVER,
                        before=client)
            self._wait(call, pair)
            yield pair, call

    def _sidecar(self, target, scenario, host, **values):
        [admin] = free_ports(1)
        name = f"{scenario.name}-{target}-{values['listen_port']}"
        bootstrap = self.directory / f"{name}.yaml"
        bootstrap.write_text(render(TEMPLATE, admin_port=admin, **values), encoding="utf-8")
        command = [*hosts.within(host), *hosts.as_sidecar(),
                   *self.binaries.command(target, bootstrap)]
        return Process(name, command, PROXY_CPU, self.directory / f"{name}.out")

    def _nginx(self, protocol):
        """One protocol at a time: what is intercepted and what is not go to the same ports."""
        place = self.directory / f"nginx-{protocol.name}"
        place.mkdir(exist_ok=True)
        kind = " http2" if protocol is H2 else ""
        conf = place / "nginx.conf"
        text = render("nginx.conf", directory=place, address=hosts.SERVER,
                      h1_port=f"{hosts.INTERCEPTED}{kind}", h2_port=hosts.OPEN, body="x" * BODY)
        if not kind:
            text = text.replace(f"{hosts.OPEN} http2", str(hosts.OPEN))
        conf.write_text(text, encoding="utf-8")
        command = [*hosts.within(self.hosts.server), find("nginx"), "-p", place, "-c", conf]
        return Process("nginx", command, LOAD_CPU, place / "nginx.out")

    def _wait(self, call, pair):
        """Until the call is answered, for at most 15 seconds."""
        end = time.monotonic() + 15
        while True:
            if pair:
                pair.check()
            try:
                return once(self.tool, call)
            except Failed:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
