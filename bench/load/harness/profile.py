"""Where the time goes: one scenario, saturated, under `perf`."""

import subprocess
import sys

from .errors import Failed
from .load import saturate
from .tools import find


def profile(settings, starters, directory, out):
    """Writes out/profile-SCENARIO-TARGET.txt for each chosen scenario and proxy."""
    if not find("perf"):
        raise Failed("perf is missing; run: apt-get install -y linux-perf")
    for scenarios, starter in starters:
        for scenario in scenarios:
            if scenario.name in settings.scenarios:
                for target in settings.targets:
                    if target != "direct":
                        one(settings, starter, scenario, target, directory, out)


def one(settings, starter, scenario, target, directory, out):
    """One page."""
    with starter.start(target, scenario) as (process, call, _):
        page = record(lambda: saturate(call, process, settings.seconds, 0.5), process.pids,
                      directory)
    path = out / f"profile-{scenario.name}-{target}.txt"
    path.write_text(page, encoding="utf-8")
    print(f"written: {path}", file=sys.stderr)


def record(load, pids, directory):
    """`perf record` beside the load; returns the flat list and then the callers."""
    data = str(directory / "perf.data")
    # Hardware counters are missing on many virtual machines; the clock is always there.
    recorder = subprocess.Popen(
        ["perf", "record", "-e", "cpu-clock", "-F", "997", "--call-graph", "dwarf,8192", "-o",
         data, "-p", pids],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        load()
    finally:
        recorder.terminate()
        recorder.wait()
    pages = []
    for options in (["--no-children", "-g", "none"], ["--children", "-g", "none"],
                    ["--no-children", "-g", "caller,0.5,callee", "--max-stack", "12"]):
        done = subprocess.run(
            ["perf", "report", "-i", data, "--stdio", "--percent-limit", "0.4", *options],
            capture_output=True, text=True, check=False)
        pages.append(f"=== perf report {' '.join(options)}\n{done.stdout}")
    return "\n".join(pages)
