"""The machine: which core is whose, whether it is quiet, and what it is."""

import os
import platform
import resource
import subprocess
import time

from .errors import Failed

PROXY_CPU = 0
LOAD_CPU = 1


def prepare():
    """Puts this script beside the load, away from the proxy's core, and allows many sockets."""
    if len(os.sched_getaffinity(0)) < 2:
        raise Failed("two cores are needed: one for the proxy, one for client and upstream")
    os.sched_setaffinity(0, {LOAD_CPU})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def busy_share(seconds=1.0):
    """How much of the machine others use at this moment, 0 to 1 (stolen time included)."""
    before = _cpu_times()
    time.sleep(seconds)
    delta = [b - a for a, b in zip(before, _cpu_times())]
    idle = delta[3] + delta[4]
    return 1 - idle / max(1, sum(delta))


def _cpu_times():
    with open("/proc/stat", encoding="ascii") as stat:
        return [int(word) for word in stat.readline().split()[1:9]]


def facts():
    """What a reader must know to judge the figures."""
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="ascii") as info:
        memory = int(info.readline().split()[1]) / 1048576
    return {
        "processor": f"{os.cpu_count()} × {model}",
        "memory": f"{memory:.1f} GiB",
        "kernel": platform.release(),
    }


def version_of(command, word=-1):
    """The version that a program prints about itself."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    # nginx and h2load print name/version.
    return lines[0].split()[word].split("/")[-1] if lines else "unknown"
