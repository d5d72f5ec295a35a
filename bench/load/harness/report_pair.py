"""The tables of pairs of sidecars."""

from .intercepted import INTERCEPTED
from .pair import CONNECT, PAIRS, RATE
from .table import latency_rows, missed, number, table, verdict, with_user

PEERS = ("envoy", "tandem")
HEAD = ["Envoy", "Tandem", "Tandem / Envoy", "target"]


def pair(results):
    """All tables of the pair and of the intercepted traffic; None when neither was measured."""
    parts = [
        cpu(results, "A pair with mutual TLS: CPU time per request, saturated", PAIRS, "sat"),
        cpu(results, f"A pair with mutual TLS: CPU time per request, at {RATE:,} requests/s", PAIRS,
            "fast"),
        cpu(results, "A pair with mutual TLS: CPU time per request, at 2,000 requests/s", PAIRS,
            "slow"),
        latency(results, "A pair with mutual TLS: latency added over direct", PAIRS),
        throughput(results),
        connections(results),
        cpu(results, f"Intercepted, with mutual TLS: CPU time per request, at {RATE:,} requests/s",
            INTERCEPTED, "fast"),
        cpu(results, "Intercepted, with mutual TLS: CPU time per request, at 2,000 requests/s",
            INTERCEPTED, "slow"),
        latency(results, "Intercepted, with mutual TLS: latency added over direct", INTERCEPTED),
    ]
    return "\n".join(part for part in parts if part) or None


def cpu(results, title, scenarios, load):
    """CPU per request of both sidecars together."""
    rows = []
    for scenario in scenarios:
        ratio = results.ratio(scenario.name, f"cpu_{load}")
        cells = [with_user(results, scenario.name, target, f"cpu_{load}", f"user_{load}")
                 for target in PEERS]
        limit = scenario.target_saturated if load == "sat" else scenario.target_rate
        rows.append([scenario.title, *cells, number(ratio, 2),
                     f"≤ {limit:.2f}{verdict(ratio, limit)}"])
    return table(title, ["µs per request, both sidecars (of it user)", *HEAD], rows,
                 missed(results, scenarios, load))


def latency(results, title, scenarios):
    """What two sidecars add."""
    rates = (("slow", "2,000/s"), ("fast", f"{RATE:,}/s"))
    return table(title, [
        "µs", "at", "p50 Envoy", "p50 Tandem", "p50 ratio (target ≤ 0.50, TCP ≤ 0.80)", "p99 Envoy",
        "p99 Tandem", "p99 ratio"], latency_rows(results, scenarios, rates))


def throughput(results):
    """Requests a second at saturation and memory under it, both sidecars on one core."""
    rows = []
    for scenario in PAIRS:
        for metric, name, digits in (("rps", "requests/s", 0), ("rss_load", "MB under load", 1)):
            figures = [results.spread(scenario.name, target, metric) for target in PEERS]
            rows.append([scenario.title, name, *(number(one, digits) for one in figures),
                         number(results.ratio(scenario.name, metric), 2)])
    return table("A pair with mutual TLS: throughput and memory",
                 ["", "", "Envoy", "Tandem", "Tandem / Envoy"], rows)


def connections(results):
    """New TLS connections: both ends of each handshake are on the core."""
    rows = []
    for metric, name, digits in (("per_second", "connections/s", 0),
                                 ("cpu_connection", "CPU µs for one", 0)):
        figures = [results.spread(CONNECT, target, metric) for target in PEERS]
        ratio = results.ratio(CONNECT, metric)
        goal = f"≥ 1{at_least(ratio, 1)}" if metric == "per_second" else ""
        rows.append([name, *(number(one, digits) for one in figures), number(ratio, 2), goal])
    return table("New connections with mutual TLS, none resumed", ["", *HEAD], rows)


def at_least(value, limit):
    """Whether the median reaches its target."""
    if value is None:
        return ""
    return " ✓" if value[0] >= limit else " ✗ **missed**"
