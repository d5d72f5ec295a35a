"""Cells and tables in Markdown."""


def latency_rows(results, scenarios, rates):
    """What each scenario adds to the latency at each rate, p50 and p99."""
    rows = []
    for scenario in scenarios:
        for metric, name in rates:
            cells = [scenario.title, name]
            for share in ("p50", "p99"):
                key = f"added_{share}_{metric}"
                cells += [number(results.spread(scenario.name, target, key), 0)
                          for target in ("envoy", "tandem")]
                ratio = results.ratio(scenario.name, key)
                limit = getattr(scenario, "target_p50", None)
                mark = verdict(ratio, limit) if limit and share == "p50" else ""
                cells.append(number(ratio, 2) + mark)
            rows.append(cells)
    return rows


def missed(results, scenarios, load):
    """Who did not reach a rate, and how often; nothing if all did."""
    found = []
    for scenario in scenarios:
        for target, name in (("envoy", "Envoy"), ("tandem", "Tandem"), ("direct", "the client")):
            times = len(results.series(scenario.name, target, f"missed_{load}"))
            if times:
                rounds = times + len(results.series(scenario.name, target, f"p50_{load}"))
                found.append(f"{name} in {times} of {rounds} rounds ({scenario.title})")
    return f"The rate was not reached by {', '.join(found)}." if found else ""


def with_user(results, scenario, target, metric, user):
    """`12.3 [12.0–12.9] (3.4)`."""
    whole, part = results.spread(scenario, target, metric), results.median(scenario, target, user)
    return number(whole, 1) + (f" ({part:.1f})" if whole else "")


def number(value, digits):
    """`median [least–greatest]`; a single round has no spread."""
    if value is None:
        return ""
    middle, least, greatest = (f"{part:,.{digits}f}" for part in value)
    return middle if least == greatest else f"{middle} [{least}–{greatest}]"


def verdict(value, limit):
    """Whether the median keeps within its target."""
    if value is None:
        return ""
    return " ✓" if value[0] <= limit else " ✗ **missed**"


def table(title, head, rows, note=""):
    """A Markdown table; rows without a single figure are left out, and so is an empty table."""
    labels = sum(1 for name in head if not name or name in ("at", "µs", "requests/s")) or 1
    rows = [row for row in rows if any(cell and cell[0].isdigit() or cell.startswith("-")
                                       for cell in row[labels:])]
    if not rows:
        return None
    lines = [f"\n## {title}\n", line(head), line(["---"] * len(head))]
    return "\n".join(lines + [line(row) for row in rows] + ([f"\n{note}"] if note else []))


def line(cells):
    """One row."""
    return "| " + " | ".join(cells) + " |"
