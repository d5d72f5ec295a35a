"""The runtime API: InvokeService beside the intercepted call, GetState beside one Redis GET."""

import socket
import sys
import time
from contextlib import contextmanager

from . import wire
from .errors import Failed
from .load import Call, at_rate, once, saturate
from .machine import LOAD_CPU, PROXY_CPU
from .process import Process, answers, free_ports, listens
from .scenarios import BODY, GRPC, H2, render
from .tools import find

RATE = 4_000
KEY, STORE, APP = "bench-key", "redis", "app"


class RuntimeApi:
    """Starts `tandem run` and what it is compared with."""

    def __init__(self, tandem, tool, upstreams, directory, settings):
        self.tandem, self.tool, self.upstreams = tandem, tool, upstreams
        self.directory, self.settings = directory, settings

    def measure(self, results):
        """All rounds of both comparisons, and the memory of a sidecar that does nothing."""
        for number in range(1, self.settings.rounds + 1):
            print(f"round {number}/{self.settings.rounds}: runtime API", file=sys.stderr,
                  flush=True)
            self.idle(results, number)
            self.invoke(results, number)
            self.get_state(results, number)

    def idle(self, results, number):
        """Resident memory with embedded defaults only."""
        with self.sidecar("idle", []) as (process, _, started):
            process.settle()
            results.add("runtime", "tandem", "rss_idle", number, process.rss())
            results.add("runtime", "tandem", "start_ms", number, started)

    def invoke(self, results, number):
        """The same call by both doors of one process: the cluster behind them is the same."""
        listen = free_ports(1)[0]
        config = self.write("invoke.yaml", render(
            "invoke.yaml", listen_port=listen, upstream_port=self.upstreams.ports["h1"]))
        body = b"x" * BODY
        plain = self.write("invoke-plain.bin", body)
        framed = self.write("invoke-grpc.bin", wire.invoke_service(APP, "hello", body))
        with self.sidecar("invoke", ["--config", config]) as (process, port, _):
            process.wait_until(lambda: answers(listen, "/hello", APP), what="routing")
            content_type = ["content-type: text/plain"]
            calls = {
                "intercepted": Call(listen, H2, BODY, "/hello", APP, plain, content_type),
                "api": Call(port, GRPC, 0, f"{wire.RUNTIME}/InvokeService", body=framed),
            }
            self.compare(results, number, "invoke", calls, lambda _: process, body)

    def get_state(self, results, number):
        """Two servers, one Redis; each reads a value of 1 KiB under its own key."""
        redis_port, listen = free_ports(2)
        value = bytes(range(256)) * (BODY // 256)
        resources = self.directory / "resources"
        resources.mkdir(exist_ok=True)
        (resources / "redis.yaml").write_text(render("redis.yaml", redis_port=redis_port),
                                              encoding="utf-8")
        command = [find("redis-server"), "--port", redis_port, "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--dir", self.directory]
        minimal = [self.tool, "redis-get", "--listen", f"127.0.0.1:{listen}", "--redis",
                   f"127.0.0.1:{redis_port}"]
        path = f"{wire.RUNTIME}/GetState"
        get = self.write("get-state.bin", wire.get_state(STORE, KEY))
        save = self.write("save-state.bin", wire.save_state(STORE, KEY, value))
        with self.start("redis", command, LOAD_CPU) as redis:
            redis.wait_until(lambda: listens(redis_port))
            redis_set(redis_port, KEY, value)
            options = ["--resources-path", resources]
            with self.start("redis-get", minimal, PROXY_CPU) as server, \
                    self.sidecar("state", options) as (process, port, _):
                server.wait_until(lambda: listens(listen))
                saving = Call(port, GRPC, 0, f"{wire.RUNTIME}/SaveState", body=save)
                self.retry(lambda: once(self.tool, saving))
                calls = {"minimal": Call(listen, GRPC, 0, path, body=get),
                         "api": Call(port, GRPC, 0, path, body=get)}
                processes = {"minimal": server, "api": process}
                self.compare(results, number, "get-state", calls, processes.get, value)

    def compare(self, results, number, scenario, calls, process_of, content):
        """CPU time per call of each, in turns; `content` must be in every first response."""
        names = list(calls) if number % 2 else list(reversed(calls))
        for name in names:
            call, process = calls[name], process_of(name)
            answer = self.retry(lambda call=call: once(self.tool, call))
            if content not in answer:
                raise Failed(f"{scenario} ({name}): the value is not in {answer[:200]!r}")
            call.expect = len(answer)
            seconds, warmup = self.settings.seconds, self.settings.warmup
            full = saturate(call, process, seconds, warmup)
            paced = at_rate(self.tool, call, process, RATE, seconds, warmup, call.protocol.rate_conns,
                            call.protocol.streams)
            for metric, value in (("rps", full["rps"]), ("cpu_sat", full["cpu"]),
                                  ("busy_sat", full["busy"]), ("rss_load", full["rss"]),
                                  ("cpu_fast", paced["cpu"]), ("p50_fast", paced["p50_us"]),
                                  ("p99_fast", paced["p99_us"])):
                results.add(scenario, name, metric, number, value)

    @contextmanager
    def sidecar(self, name, options):
        """`tandem run` on free ports; yields (process, the API's port, milliseconds to ready)."""
        port, outbound, admin = free_ports(3)
        data = self.directory / f"data-{name}-{time.monotonic_ns()}"
        command = [self.tandem, "run", "--app-id", "bench", "--runtime-grpc-port", port,
                   "--admin-port", admin, "--data-dir", data, *options]
        if "--config" not in options:
            # With a bootstrap, the outbound port is the bootstrap's.
            command += ["--outbound-port", outbound]
        with self.start(f"tandem-run-{name}", command, PROXY_CPU) as process:
            started = process.wait_until(lambda: listens(port))
            yield process, port, started

    def start(self, name, command, cpu):
        """A process with its log in the working directory."""
        return Process(name, command, cpu, self.directory / f"{name}.out")

    def write(self, name, content):
        """A file in the working directory; returns its path."""
        path = self.directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    @staticmethod
    def retry(attempt, seconds=10):
        """Tries until it works; the last failure is told."""
        end = time.monotonic() + seconds
        while True:
            try:
                return attempt()
            except Failed:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)


def redis_set(port, key, value):
    """SET, spoken by hand."""
    words = [b"SET", key.encode(), value]
    request = b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    with socket.create_connection(("127.0.0.1", port), 2) as peer:
        peer.sendall(request)
        answer = peer.recv(64)
    if answer != b"+OK\r\n":
        raise Failed(f"redis: {answer!r}")
