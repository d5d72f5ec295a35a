"""The table of the big mesh."""

from .mesh import VARIANTS
from .table import number, table, verdict

TITLES = {"sotw": "state of the world", "delta": "delta"}
ROWS = (("load_ms", "ms from start to ready", 0, 0.5),
        ("load_cpu_ms", "CPU ms to load", 0, None),
        ("rss", "MB, loaded", 1, 0.3),
        ("rss_grown", "MB more than with one cluster", 1, None),
        ("rss_updated", "MB, after the updates", 1, 0.3),
        ("update_us", "CPU µs for one changed endpoint", 0, 0.1),
        ("update_ms", "ms until it is acknowledged", 2, None))


def mesh(results, facts):
    """Both variants, one row a figure."""
    rows = []
    for variant in VARIANTS:
        scenario = f"mesh-{variant}"
        for metric, name, digits, limit in ROWS:
            ratio = results.ratio(scenario, metric)
            goal = f"≤ {limit}{verdict(ratio, limit)}" if limit else ""
            pair = [results.spread(scenario, target, metric) for target in ("envoy", "tandem")]
            rows.append([TITLES[variant], name, *(number(one, digits) for one in pair),
                         number(ratio, 2), goal])
    clusters = facts.get("clusters", 0)
    return table(f"A mesh of {clusters:,} clusters with {clusters * 10:,} endpoints",
                 ["", "", "Envoy", "Tandem", "Tandem / Envoy", "target"], rows)
