"""What stands between client and upstream: nothing, Tandem, Envoy or the relay; and the upstreams."""

from contextlib import contextmanager

from .load import Call
from .machine import LOAD_CPU, PROXY_CPU
from .process import Process, answers, free_ports, listens
from .scenarios import BODY, render
from .tools import find


class Upstreams:
    """nginx (HTTP/1.1 and HTTP/2) and our gRPC server, beside the client on its core."""

    def __init__(self, tool, directory):
        h1, h2, grpc = free_ports(3)
        self.ports = {"h1": h1, "h2": h2, "grpc": grpc}
        conf = directory / "nginx.conf"
        conf.write_text(render("nginx.conf", directory=directory, address="127.0.0.1", h1_port=h1,
                               h2_port=h2, body="x" * BODY), encoding="utf-8")
        self._children = []
        nginx = self._start("nginx", [find("nginx"), "-p", directory, "-c", conf], directory)
        grpc_command = [tool, "upstream", "--listen", f"127.0.0.1:{grpc}", "--size", BODY]
        server = self._start("gRPC upstream", grpc_command, directory)
        nginx.wait_until(lambda: answers(h1))
        server.wait_until(lambda: listens(grpc))

    def _start(self, name, command, directory):
        log = directory / f"{name.replace(' ', '-')}.out"
        child = Process(name, command, LOAD_CPU, log)
        self._children.append(child)
        return child

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self._children:
            child.stop()


class Binaries:
    """The programs that are measured, by the names of the targets."""

    def __init__(self, **paths):
        self.paths = paths

    def command(self, target, bootstrap):
        """The command line with this bootstrap: one worker, and errors only in the log."""
        options = ["-c", bootstrap, "--concurrency", 1, "--log-level", "error"]
        if target == "envoy":
            return [self.paths[target], *options, "--disable-hot-restart"]
        return [self.paths[target], "proxy", *options]


class Proxies:
    """Starts the targets from the very same bootstrap files, one worker on one core."""

    def __init__(self, binaries, upstreams, directory):
        self.binaries, self.upstreams, self.directory = binaries, upstreams, directory

    @contextmanager
    def start(self, target, scenario):
        """Yields (process, call, milliseconds to the first answer); the process is None for
        `direct`."""
        protocol = scenario.protocol
        upstream = self.upstreams.ports[protocol.upstream]
        if target == "direct":
            yield None, Call(upstream, protocol, protocol.expect), 0.0
            return
        listen, admin = free_ports(2)
        log = self.directory / f"access-{target}.log"
        bootstrap = self.directory / f"{scenario.name}-{target}.yaml"
        bootstrap.write_text(
            render(scenario.template, listen_port=listen, admin_port=admin, upstream_port=upstream,
                   protocol_options=protocol.protocol_options, access_log=log), encoding="utf-8")
        if target == "relay":
            command = [self.binaries.paths[target], "relay", "--listen", f"127.0.0.1:{listen}",
                       "--to", f"127.0.0.1:{upstream}"]
        else:
            command = self.binaries.command(target, bootstrap)
        output = self.directory / f"{scenario.name}-{target}.out"
        try:
            with Process(f"{target} ({scenario.name})", command, PROXY_CPU, output) as process:
                started = process.wait_until(lambda: answers(listen))
                yield process, Call(listen, protocol, protocol.expect), started
        finally:
            # At 30,000 lines a second the log outgrows a small disk within a few rounds.
            log.unlink(missing_ok=True)
