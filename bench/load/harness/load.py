"""The load: h2load for saturation, our generator for fixed rates and idle connections."""

import contextlib
import json
import re
import subprocess
import time
from dataclasses import dataclass, field

from .errors import Failed
from .machine import LOAD_CPU
from .scenarios import GRPC_HEADERS

PINNED = ["taskset", "-c", str(LOAD_CPU)]
# Connections that are there before memory is measured for each.
FIRST_IDLE = 100


@dataclass
class Call:
    """One request, repeated: where it goes and what must come back."""

    port: int
    protocol: object
    expect: int
    path: str = "/"
    authority: str = "bench.local"
    body: str = ""
    headers: list = field(default_factory=list)
    host: str = "127.0.0.1"
    # The words before the generator's.
    before: list = field(default_factory=lambda: PINNED)

    def generator(self, tool, command, **more):
        """Our generator's command line for this call."""
        words = [tool, command, "--connect", f"{self.host}:{self.port}", "--proto",
                 self.protocol.name, "--path", self.path, "--authority", self.authority]
        if self.body:
            words += ["--body", self.body, "--method", "POST"]
        if self.expect:
            words += ["--expect", self.expect]
        for name, value in more.items():
            words += [f"--{name}", value]
        return self.before + [str(word) for word in words]

    def h2load(self, seconds, warmup):
        """h2load's command line for this call."""
        words = ["h2load", "-D", f"{seconds * 1000:.0f}ms",
                 f"--warm-up-time={warmup * 1000:.0f}ms", "-c", self.protocol.conns,
                 "-m", self.protocol.streams, f"--connect-to=127.0.0.1:{self.port}",
                 "-H", "user-agent: tandem-bench"]
        if self.protocol.name == "h1":
            words += ["--h1"]
        if self.body:
            words += ["-d", self.body]
        for header in self.headers + (GRPC_HEADERS if self.protocol.name == "grpc" else []):
            words += ["-H", header]
        return PINNED + [str(word) for word in [*words, f"http://{self.authority}{self.path}"]]


def saturate(call, proxy, seconds, warmup):
    """As much as the proxy takes. CPU time is read inside the measured part."""
    child = subprocess.Popen(call.h2load(seconds, warmup), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    output, result = [], {}
    for line in child.stdout:
        output.append(line)
        if line.startswith("Main benchmark duration is started") and proxy:
            before = proxy.cpu()
            time.sleep(seconds - 0.1)
            passed, used, user = proxy.cpu().since(before)
            result = {"busy": used / 1e6 / passed, "user": user, "rss": proxy.rss()}
    text = "".join(output)
    if child.wait() != 0:
        raise Failed(f"h2load failed:\n{text[-2000:]}")
    done = check_h2load(text, call.expect)
    result["rps"] = done / seconds
    if proxy:
        if "busy" not in result:
            raise Failed(f"h2load never began to measure:\n{text[-2000:]}")
        result["cpu"] = result["busy"] * 1e6 / result["rps"]
    return result


def check_h2load(text, expect):
    """The number of good responses; fails if there was any other, or if bodies are not whole."""
    requests = re.search(r"requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, "
                         r"(\d+) failed, (\d+) errored, (\d+) timeout", text)
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    received = re.search(r"traffic: \S+ \((\d+)\) total", text)
    if not (requests and codes and received):
        raise Failed(f"h2load's output was not understood:\n{text[-2000:]}")
    total, _, _, good, *bad = map(int, requests.groups())
    ok, *other = map(int, codes.groups())
    # The status of a request under way when the measured part began was counted before it.
    if good == 0 or any(bad) or any(other) or ok < good - 1024:
        raise Failed(f"not every request succeeded:\n{text[-2000:]}")
    # h2load knows no gRPC status, but a failed call has no message, so bytes would be missing.
    # Responses under way at either end of the measured time are counted in part: hence 5 %.
    if int(received.group(1)) < good * expect * 0.95:
        raise Failed(f"bodies of {expect} bytes were expected, {good} of them:\n{text[-2000:]}")
    return min(total, good)


class TooSlow(Failed):
    """The rate was not reached: by the proxy, or because others used its core."""


def at_rate(*load, tries=3):
    """Requests when they are due; latency counts from then. A rate that is missed is tried again:
    a pause of the machine is not the proxy's fault, but three in a row are."""
    for _ in range(tries - 1):
        try:
            return paced(*load)
        except TooSlow:
            pass
    return paced(*load)


def figures_at_rate(results, place, load, *rest):
    """What a load at a fixed rate costs, and how long it takes; or that the rate was not reached: of
    a proxy that keeps requests waiting ever longer no figure would say anything. `place` is scenario,
    target and round."""
    scenario, target, number = place
    metrics = [f"{metric}_{load}" for metric in ("p50", "p99", "cpu", "user", "missed")]
    for metric in metrics:
        results.drop(scenario, target, metric, number)
    try:
        done = at_rate(*rest)
    except TooSlow:
        results.add(scenario, target, f"missed_{load}", number, 1)
        return
    values = [done["p50_us"], done["p99_us"]]
    if "cpu" in done:
        values += [done["cpu"], done["cpu"] * done["user"]]
    for metric, value in zip(metrics, values):
        results.add(scenario, target, metric, number, value)


def paced(tool, call, proxy, rate, seconds, warmup, conns, streams):
    """One try of `at_rate`."""
    command = call.generator(tool, "rate", rate=rate, seconds=seconds, warmup=warmup, conns=conns,
                             streams=streams)
    result, marks = marked(command, proxy)
    if result["failed"] or result["unanswered"] or not result["ok"]:
        raise Failed(f"not every request succeeded at {rate}/s: {result}")
    if result["ok"] / result["seconds"] < rate * 0.97:
        raise TooSlow(f"{rate}/s were not reached: {result}")
    if proxy:
        passed, used, result["user"] = marks["end"].since(marks["start"])
        result["cpu"], result["busy"] = used / result["ok"], used / 1e6 / passed
    return result


def connections(tool, call, proxy, seconds, warmup, conns=16):
    """As many new connections as the proxy takes, one request each; CPU time of one."""
    command = call.generator(tool, "connect", conns=conns, seconds=seconds, warmup=warmup)
    result, marks = marked(command, proxy)
    passed, used, _ = marks["end"].since(marks["start"])
    done = result["ok"]
    return {"per_second": done / result["seconds"], "cpu": used / max(done, 1),
            "busy": used / 1e6 / passed}


def marked(command, proxy):
    """Runs the generator; returns its result, and CPU times at the ends of its measured part."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    marks, lines = {}, []
    for line in child.stdout:
        lines.append(line)
        if line.strip() in ("start", "end") and proxy:
            marks[line.strip()] = proxy.cpu()
    if child.wait() != 0 or not lines[-1:] or not lines[-1].startswith("{"):
        raise Failed(f"the generator failed:\n{''.join(lines)[-2000:]}")
    return json.loads(lines[-1]), marks


@contextlib.contextmanager
def idle_connections(tool, call, conns):
    """Connections which have made one request each and then stay open."""
    child = subprocess.Popen(call.generator(tool, "idle", conns=conns), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    line = child.stdout.readline()
    if line.strip() != "ready":
        child.kill()
        raise Failed(f"idle connections: {line}{child.stdout.read()}")
    try:
        time.sleep(0.5)
        yield
    finally:
        child.communicate()


def idle_growth(tool, call, proxy, conns):
    """Resident MB per 1,000 idle connections.

    Some are there before: what a process takes once, however many come, is not theirs. That is
    much in one that has given back what its start used, and nothing in one that still holds it.
    """
    with idle_connections(tool, call, FIRST_IDLE):
        before = proxy.rss()
        with idle_connections(tool, call, conns):
            growth = proxy.rss() - before
    return growth * 1000 / conns


def once(tool, call):
    """One checked request; returns the response's body."""
    done = subprocess.run(call.generator(tool, "call"), capture_output=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{call.path} on port {call.port}: {done.stderr.decode(errors='replace')}")
    return done.stdout
