"""A big mesh: how long and how much it costs to load, what one changed endpoint costs."""

import json
import subprocess
import sys
import time
import urllib.request

from .errors import Failed
from .load import PINNED
from .machine import PROXY_CPU
from .process import Process, answers, free_ports, listens
from .scenarios import render

VARIANTS = {"sotw": "GRPC", "delta": "DELTA_GRPC"}
# With one cluster of one endpoint: what it holds before there is anything to hold.
EMPTY = 1
ENDPOINTS = 10
WAIT = 120


class Plane:
    """The control plane of `src/plane`, beside the client on its core."""

    def __init__(self, tool, clusters, endpoints, upstream):
        self.port, self.proxy = free_ports(2)
        words = [tool, "plane", "--listen", f"127.0.0.1:{self.port}", "--clusters", clusters,
                 "--endpoints", endpoints, "--proxy-port", self.proxy, "--upstream-port", upstream]
        self.child = subprocess.Popen(PINNED + [str(word) for word in words],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        while not listens(self.port):
            if self.child.poll() is not None:
                raise Failed("the control plane did not start")
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.communicate()

    def accepted(self):
        """Waits until the client has accepted all endpoints."""
        line = self.child.stdout.readline().strip()
        if line != "accepted":
            raise Failed(f"the control plane: {line or 'ended'}")

    def update(self, count):
        """Changes one endpoint after the other; returns the seconds that it took."""
        self.child.stdin.write(f"update {count}\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line.startswith("{"):
            raise Failed(f"the control plane: {line or 'ended'}")
        return json.loads(line)["seconds"]


class Mesh:
    """All rounds of this part."""

    def __init__(self, settings, binaries, tool, upstream, directory):
        self.settings, self.binaries, self.tool = settings, binaries, tool
        self.upstream, self.directory = upstream, directory

    def measure(self, results):
        """Every variant with every proxy, in changing order."""
        targets = [target for target in self.settings.targets if target != "direct"]
        for number in range(1, self.settings.rounds + 1):
            for variant in self.settings.variants:
                turn = number % len(targets)
                for target in targets[turn:] + targets[:turn]:
                    print(f"round {number}/{self.settings.rounds}: mesh {variant}, {target}",
                          file=sys.stderr, flush=True)
                    self.one(results, number, variant, target)

    def one(self, results, number, variant, target):
        """Loads, rests, and takes updates."""

        def add(metric, value):
            results.add(f"mesh-{variant}", target, metric, number, value)

        _, empty, _ = self.load(variant, target, EMPTY, lambda *_: None)

        def updates(process, plane):
            # Some first, so that what only the first meets is not counted.
            plane.update(self.settings.updates // 10 + 1)
            before = process.cpu()
            seconds = plane.update(self.settings.updates)
            _, used, _ = process.cpu().since(before)
            add("update_us", used / self.settings.updates)
            add("update_ms", seconds * 1000 / self.settings.updates)
            process.settle()
            add("rss_updated", process.rss())

        ready, rss, cpu = self.load(variant, target, self.settings.clusters, updates)
        add("load_ms", ready)
        add("load_cpu_ms", cpu)
        add("rss", rss)
        add("rss_grown", rss - empty)

    def load(self, variant, target, clusters, then):
        """Returns (milliseconds from exec to the answer, MB afterwards, CPU milliseconds)."""
        [admin] = free_ports(1)
        with Plane(self.tool, clusters, ENDPOINTS, self.upstream) as plane:
            bootstrap = self.directory / f"mesh-{variant}-{target}.yaml"
            text = render("mesh.yaml", admin_port=admin, plane_port=plane.port,
                          api_type=VARIANTS[variant])
            bootstrap.write_text(text, encoding="utf-8")
            output = self.directory / f"mesh-{variant}-{target}.out"
            command = self.binaries.command(target, bootstrap)
            with Process(f"{target} (mesh {variant})", command, PROXY_CPU, output) as process:
                ready = process.wait_until(lambda: answers(plane.proxy), WAIT, poll=0.01)
                plane.accepted()
                # What an answer came before is counted too.
                process.settle()
                cpu = process.cpu().total_ms
                time.sleep(self.settings.rest)
                rss = process.rss()
                then(process, plane)
                whole = endpoints(admin)
                expected = clusters * ENDPOINTS if clusters > EMPTY else 1
                if whole != expected:
                    raise Failed(f"{target} has {whole} endpoints instead of {expected}")
                return ready, rss, cpu


def endpoints(admin):
    """How many endpoints the process says that it has, the control plane's own aside."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/clusters", timeout=60) as page:
        return sum(b"::health_flags::" in line and line.startswith(b"outbound|")
                   for line in page)
