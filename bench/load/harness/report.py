"""The table, in Markdown: medians with their spread, ratios paired within rounds, targets."""

from .report_mesh import mesh
from .report_pair import pair
from .report_self import against_itself
from .scenarios import SCENARIOS
from .table import latency_rows, missed, number, table, verdict, with_user

PEERS = ("envoy", "tandem")


def markdown(results, facts):
    """The whole page."""
    parts = [
        "# Benchmarks", "", "![CPU time per request](benchmarks.svg)", "",
        introduction(facts, results.repeats),
        cpu(results, "CPU time per request, saturated", "cpu_sat", "user_sat", "target_saturated"),
        cpu(results, "CPU time per request, at 12,000 requests/s", "cpu_fast", "user_fast",
            "target_rate"),
        throughput(results), latency(results), floor(results), memory(results), runtime(results), pair(results), mesh(results, facts),
        against_itself(results),
    ]
    return "\n".join(part for part in parts if part is not None) + "\n"


def introduction(facts, repeats):
    """Method and machine, in a paragraph each."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    busy = max(facts["busy_before"], facts["busy_after"])
    warning = ""
    if busy > 0.05:
        warning = (f"\n**The machine was not quiet ({busy:.0%} used by others): these figures are "
                   "not to be trusted.**\n")
    if repeats:
        whose = "; ".join(f"{name} ({times})" for name, times in sorted(repeats.items()))
        warning += f"\nMeasurements that failed and were made again as a whole: {whose}.\n"
    return f"""\
Tandem and Envoy ran from the same bootstrap files, each with one worker alone on one core; client
and upstream shared the other. Responses have 1 KiB. *Plain* is the router only; *full* adds 20
routes matched by header before the one that serves, a JSON access log of 18 fields to a file, header
edits in both directions, a timeout and a retry policy. Figures are medians of {facts['rounds']}
alternating rounds of {facts['seconds']:g} s each, after a warm-up, with the least and greatest in
brackets; ratios are taken within each round. A run with a single failed request is not reported.
CPU time is the scheduler's count for all threads of the process.

A *pair* is two sidecars of one kind, one after the other on one core, with mutual TLS (1.3, ECDSA
P-256, identities checked) between them; *intercepted* is such a pair on two network namespaces that
iptables REDIRECT leads to, with ORIGINAL_DST clusters. A *mesh* is what a control plane of the
benchmark's own says over ADS, the same to both.

To repeat it: `bench/load/run`, or one part after the other: `--parts data-plane`, then
`--add --parts runtime-api`, `--add --parts pair`, `--add --parts intercepted`, `--add --parts mesh`.
How it works: `bench/load/README.md`.

{facts['processor']}, {facts['memory']}, Linux {facts['kernel']}; {versions}.
{warning}"""


def cpu(results, title, metric, user, goal):
    """CPU per request: both, the ratio, and the target."""
    rows = []
    for scenario in SCENARIOS:
        ratio = results.ratio(scenario.name, metric)
        cells = [scenario.title]
        for target in PEERS:
            cells.append(with_user(results, scenario.name, target, metric, user))
        limit = getattr(scenario, goal)
        rows.append(cells + [number(ratio, 2), f"≤ {limit:.2f}{verdict(ratio, limit)}"])
    return table(title, ["µs per request (of it user)", "Envoy", "Tandem", "Tandem / Envoy",
                         "target"], rows, missed(results, SCENARIOS, metric.removeprefix("cpu_")))


def throughput(results):
    """Requests a second at saturation, and how busy the proxy's core was."""
    rows = []
    for scenario in SCENARIOS:
        cells = [scenario.title, number(results.spread(scenario.direct, "direct", "rps"), 0)]
        for target in PEERS:
            rate = results.spread(scenario.name, target, "rps")
            busy = results.median(scenario.name, target, "busy_sat")
            cells.append(number(rate, 0) + (f", {busy:.0%} busy" if busy is not None else ""))
        rows.append(cells + [number(results.ratio(scenario.name, "rps"), 2)])
    return table("Throughput, saturated", ["requests/s", "direct", "Envoy", "Tandem",
                                           "Tandem / Envoy"], rows,
                 "A core that is less than 95 % busy was waiting for the client: the proxy could do "
                 "more.")


def latency(results):
    """What a proxy adds to the latency of the same load without one."""
    rates = (("slow", "2,000/s"), ("fast", "12,000/s"))
    return table("Latency added over direct", [
        "µs", "at", "p50 Envoy", "p50 Tandem", "p50 ratio (target ≤ 0.80)", "p99 Envoy",
        "p99 Tandem", "p99 ratio"], latency_rows(results, SCENARIOS, rates))


def floor(results):
    """What a program costs that only passes on, beside both proxies."""
    rows = []
    for scenario in SCENARIOS:
        for metric, name in (("cpu_slow", "CPU µs, at 2,000/s"), ("cpu_fast", "CPU µs, at 12,000/s"),
                             ("added_p50_slow", "p50 added, at 2,000/s"),
                             ("added_p50_fast", "p50 added, at 12,000/s")):
            cells = [number(results.spread(scenario.name, target, metric), 1)
                     for target in ("relay", *PEERS)]
            cells += [number(results.ratio(scenario.name, metric, first), 2)
                      for first in ("relay", "tandem")]
            rows.append([scenario.title, name, *(cells if cells[0] else [""] * len(cells))])
    return table("The floor: a relay that only waits, reads and writes", [
        "", "", "relay", "Envoy", "Tandem", "relay / Envoy", "Tandem / Envoy"], rows,
        "The relay (`bench/load/src/relay.rs`) has one thread and knows `epoll_wait`, `recv` and "
        "`send`, so it costs what the kernel asks of such a program, and little else. A proxy "
        "that seems to cost less differs from it by less than the spread.")


def memory(results):
    """Resident memory and the time to the first answer."""
    rows = []
    for scenario in SCENARIOS:
        for metric, name, limit in (
                ("rss_idle", "MB idle", None), ("rss_load", "MB under load", None),
                ("idle_mb_per_1000", "MB per 1,000 idle connections",
                 10 if scenario.name == "h1" else None),
                ("start_ms", "ms to the first answer", 100)):
            pair = [results.spread(scenario.name, target, metric) for target in PEERS]
            goal = f"≤ {limit}{verdict(pair[1], limit)}" if limit else ""
            rows.append([scenario.title, name, *(number(one, 1) for one in pair), goal])
    for metric, name, limit in (("rss_idle", "MB idle", 15), ("start_ms", "ms to ready", 100)):
        own = results.spread("runtime", "tandem", metric)
        rows.append(["runtime API on", name, "", number(own, 1), f"≤ {limit}{verdict(own, limit)}"])
    return table("Memory and start", ["", "", "Envoy", "Tandem", "target for Tandem"], rows)


def runtime(results):
    """The runtime API against its yardsticks."""
    rows = []
    for scenario, title, base, base_name, limit in (
            ("invoke", "InvokeService over gRPC", "intercepted", "the same call intercepted", 1.4),
            ("get-state", "GetState on Redis", "minimal", "minimal tonic server, one GET", 1.3)):
        for metric, name in (("cpu_sat", "CPU µs, saturated"), ("cpu_fast", "CPU µs, at 4,000/s"),
                             ("rps", "calls/s, saturated"), ("p50_fast", "p50 µs, at 4,000/s"),
                             ("p99_fast", "p99 µs, at 4,000/s")):
            ratio = results.ratio(scenario, metric, "api", base)
            goal = f"≤ {limit}{verdict(ratio, limit)}" if metric.startswith("cpu") else ""
            digits = 0 if metric == "rps" else 1
            rows.append([title, name, number(results.spread(scenario, "api", metric), digits),
                         base_name, number(results.spread(scenario, base, metric), digits),
                         number(ratio, 2), goal])
    return table("Runtime API", ["", "", "Tandem's API", "compared with", "its figure", "ratio", "target"], rows)
