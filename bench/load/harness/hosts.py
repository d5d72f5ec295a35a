"""Two hosts as network namespaces; iptables leads what leaves one and enters the other to a
sidecar, but not what the sidecar itself sends."""

import os
import subprocess

from .errors import Failed

# Istio's numbers: the user that is not intercepted, and the two ports.
USER, OUTBOUND, INBOUND = 1337, 15001, 15006
CLIENT, SERVER = "192.0.2.1", "192.0.2.2"
# What leads to `SERVER` on this port passes both sidecars; on the other it passes neither.
INTERCEPTED, OPEN = 8080, 8081


class Hosts:
    """Made on entry, taken away on exit."""

    def __init__(self):
        self.client, self.server = (f"tandem-bench-{os.getpid()}-{side}" for side in "cs")

    def __enter__(self):
        try:
            self._make()
        except Failed:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in (self.client, self.server):
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)

    def _make(self):
        for name in (self.client, self.server):
            run("ip", "netns", "add", name)
            run(*within(name), "ip", "link", "set", "lo", "up")
        run(*within(self.client), "ip", "link", "add", "eth0", "type", "veth", "peer", "name",
            "eth0", "netns", self.server)
        for name, address in ((self.client, CLIENT), (self.server, SERVER)):
            run(*within(name), "ip", "address", "add", f"{address}/24", "dev", "eth0")
            run(*within(name), "ip", "link", "set", "eth0", "up")
        out = [*within(self.client), "iptables", "-w", "-t", "nat", "-A", "OUTPUT", "-p", "tcp"]
        run(*out, "-m", "owner", "--uid-owner", str(USER), "-j", "RETURN")
        run(*out, "-o", "lo", "-j", "RETURN")
        run(*out, "-j", "REDIRECT", "--to-ports", str(OUTBOUND))
        run(*within(self.server), "iptables", "-w", "-t", "nat", "-A", "PREROUTING", "-p", "tcp",
            "--dport", str(INTERCEPTED), "-j", "REDIRECT", "--to-ports", str(INBOUND))


def within(name):
    """The words that run a command in a namespace."""
    return ["ip", "netns", "exec", name]


def as_sidecar():
    """The words that run a command as the user that is not intercepted."""
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]


def run(*words):
    """One command of the set-up."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
