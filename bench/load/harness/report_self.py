"""One Tandem against another: did anything get worse by more than the noise?"""

from .pair import CONNECT, PAIRS
from .scenarios import SCENARIOS
from .table import number, table

METRICS = (("cpu_sat", "CPU µs, saturated", 1), ("cpu_fast", "CPU µs, faster rate", 1),
           ("cpu_slow", "CPU µs, at 2,000/s", 1), ("p50_fast", "p50 µs, faster rate", 0),
           ("p50_slow", "p50 µs, at 2,000/s", 0), ("rss_idle", "MB idle", 1),
           ("rss_load", "MB under load", 1),
           ("idle_mb_per_1000", "MB per 1,000 idle connections", 1),
           ("cpu_connection", "CPU µs for a TLS connection", 1))
# Worse is a figure whose median is beyond this, and whose every round now is beyond every round
# before: two runs of one binary differ by more than one would think.
TOLERANCE = 1.03
ROUNDS = 5


def against_itself(results):
    """The table with its verdict; None without a baseline."""
    rows, worse, compared, rounds = [], [], 0, []
    for name, title in [*((s.name, s.title) for s in SCENARIOS),
                        *((s.name, f"pair: {s.title}") for s in PAIRS),
                        (CONNECT, "pair: new connections")]:
        for metric, what, digits in METRICS:
            ratio = results.ratio(name, metric, "tandem", "baseline")
            if ratio is None:
                continue
            compared += 1
            rounds.append(len(results.series(name, "tandem", metric)))
            before, now = (results.spread(name, target, metric)
                           for target in ("baseline", "tandem"))
            verdict = ""
            if ratio[0] > TOLERANCE and now[1] > before[2]:
                verdict = "**worse**"
                worse.append(f"{title}, {what}")
            rows.append([title, what, number(before, digits), number(now, digits),
                         number(ratio, 3), verdict])
    if not compared:
        return None
    share = (TOLERANCE - 1) * 100
    verdict = (f"Worse by more than {share:.0f} %, and in every round than in any before: "
               f"{'; '.join(worse) if worse else 'nothing'}, of {compared} figures.")
    if min(rounds) < ROUNDS:
        verdict += f" With fewer than {ROUNDS} rounds that says little."
    return table("Tandem against the Tandem before",
                 ["", "", "before", "now", "now / before", ""], rows, verdict)
