"""Processes that are measured or needed: started on a core, read through /proc, always ended."""

import os
import signal
import socket
import subprocess
import time

from .errors import Failed

TICK = os.sysconf("SC_CLK_TCK")


def free_ports(count):
    """Ports that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Cpu:
    """CPU time used so far: the scheduler's nanoseconds, and the kernel's ticks for the split."""

    def __init__(self, nanoseconds, user_ticks, system_ticks):
        self.at = time.monotonic()
        self.ns, self.user, self.system = nanoseconds, user_ticks, system_ticks

    @property
    def total_ms(self):
        """Milliseconds since the start. The ticks are coarser but know of threads that ended."""
        return max(self.ns / 1e6, (self.user + self.system) * 1000 / TICK)

    def since(self, before):
        """(seconds passed, CPU microseconds, share of user time)."""
        user, system = self.user - before.user, self.system - before.system
        share = user / (user + system) if user + system else 0.0
        return self.at - before.at, (self.ns - before.ns) / 1000, share


class Process:
    """One child on one core. Use it in a `with`, so that it never outlives the measurement."""

    def __init__(self, name, command, cpu, log):
        self.name, self.log = name, log
        self.started = time.monotonic()
        # taskset replaces itself by the command: the pid is the command's.
        with open(log, "wb") as output:
            self.child = subprocess.Popen(
                ["taskset", "-c", str(cpu), *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """SIGTERM, and SIGKILL for what does not end in five seconds."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def check(self):
        """Fails, with the end of its output, when the process has ended."""
        if self.child.poll() is not None:
            with open(self.log, encoding="utf-8", errors="replace") as output:
                tail = output.read()[-2000:]
            raise Failed(f"{self.name} ended with {self.child.returncode}:\n{tail}")

    def wait_until(self, ready, seconds=15, what="ready", poll=0.0005):
        """Polls `ready`; returns milliseconds since the start."""
        while not ready():
            self.check()
            if time.monotonic() - self.started > seconds:
                raise Failed(f"{self.name} was not {what} after {seconds} s; see {self.log}")
            time.sleep(poll)
        return (time.monotonic() - self.started) * 1000

    def settle(self):
        """Lets what runs after the first answer come to rest: Tandem gives back the code that only
        its start ran when it has served for a second."""
        time.sleep(1.5)

    @property
    def pids(self):
        """Its number, as `perf` wants it."""
        return str(self.child.pid)

    def cpu(self):
        """CPU time of all its threads."""
        self.check()
        pid, total = self.child.pid, 0
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as stat:
                    total += int(stat.read().split()[0])
            except FileNotFoundError:
                pass  # the thread ended meanwhile
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return Cpu(total, int(fields[11]), int(fields[12]))

    def rss(self):
        """Resident memory in MB (2^20 bytes)."""
        self.check()
        with open(f"/proc/{self.child.pid}/status", encoding="utf-8") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) / 1024
        raise Failed(f"{self.name} has no resident memory")


def answers(port, path="/", host="bench.local"):
    """Whether an HTTP/1.1 GET on this port is answered with 200 at this moment."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as peer:
            request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            peer.sendall(request.encode())
            return peer.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def listens(port):
    """Whether something accepts connections on this port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2):
            return True
    except OSError:
        return False
