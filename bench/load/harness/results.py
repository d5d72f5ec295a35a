"""Figures by round, their medians, and ratios paired within a round."""

import json
from statistics import median


class Results:
    """(scenario, target, metric) → one value a round."""

    def __init__(self):
        self.values = {}
        # Whose measurements failed and were made again → how often.
        self.repeats = {}

    def add(self, scenario, target, metric, round_number, value):
        """Keeps one figure of one round."""
        series = self.values.setdefault((scenario, target, metric), {})
        series[round_number] = value

    def drop(self, scenario, target, metric, round_number):
        """Forgets what an earlier run had."""
        self.series(scenario, target, metric).pop(round_number, None)

    def series(self, scenario, target, metric):
        """round → value."""
        return self.values.get((scenario, target, metric), {})

    def median(self, scenario, target, metric):
        """The median over rounds, or None where nothing was measured."""
        series = self.series(scenario, target, metric).values()
        return median(series) if series else None

    def spread(self, scenario, target, metric):
        """(median, least, greatest), or None."""
        return spread(self.series(scenario, target, metric).values())

    def combined(self, scenario, metric, first, second, combine):
        """(median, least, greatest) of `combine(first, second)` over the rounds that have both."""
        one = self.series(scenario, first, metric)
        two = self.series(scenario, second, metric)
        return spread([combine(one[r], two[r]) for r in sorted(one.keys() & two.keys())])

    def ratio(self, scenario, metric, first="tandem", second="envoy"):
        """First to second, paired round by round; None unless both are always above zero (added
        latency may drown in the noise of `direct`, and then its ratio means nothing)."""
        both = [self.series(scenario, target, metric).values() for target in (first, second)]
        if any(value <= 0 for values in both for value in values):
            return None
        return self.combined(scenario, metric, first, second, lambda a, b: a / b)

    def save(self, path, facts):
        """Every single figure, for whoever wants to look closer."""
        rows = [{"scenario": s, "target": t, "metric": m, "rounds": v}
                for (s, t, m), v in self.values.items()]
        stored = {"facts": facts, "repeats": self.repeats, "figures": rows}
        path.write_text(json.dumps(stored, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path):
        """Reads what `save` wrote; returns (results, facts)."""
        stored, results = json.loads(path.read_text(encoding="utf-8")), cls()
        results.repeats = stored.get("repeats", {})
        for row in stored["figures"]:
            rounds = {int(number): value for number, value in row["rounds"].items()}
            results.values[(row["scenario"], row["target"], row["metric"])] = rounds
        return results, stored["facts"]


def spread(values):
    """(median, least, greatest), or None."""
    values = list(values)
    return (median(values), min(values), max(values)) if values else None
