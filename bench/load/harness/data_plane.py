"""The rounds over the data plane: every scenario with every target, in changing order."""

import sys

from .errors import repeated
from .intercepted import INTERCEPTED
from .load import figures_at_rate, idle_growth, once, saturate
from .pair import PAIRS, handshakes
from .scenarios import SCENARIOS

SLOW = 2_000
IDLE_CONNS = 1_000
IDLE_SCENARIOS = ("h1", "h2")


def measure(settings, proxies, tool, results):
    """All rounds. Rounds alternate the order of the targets, so that drift hits all alike."""
    rounds(settings, SCENARIOS, proxies, tool, results)


def measure_pairs(settings, pairs, tool, results):
    """The same with two proxies one after the other, and new connections through both."""

    def connect(number, target):
        if target != "direct" and not settings.scenarios:
            handshakes(settings, pairs, tool, results, number, target)

    rounds(settings, PAIRS, pairs, tool, results, connect)


def rounds(settings, scenarios, proxies, tool, results, more=lambda *_: None):
    """Every scenario with every target; `more` is called for each target of each round."""
    chosen = [s for s in scenarios if not settings.scenarios or s.name in settings.scenarios]
    for number in range(1, settings.rounds + 1):
        for scenario in chosen:
            targets = settings.targets
            if getattr(scenario, "floor", False) and "envoy" in targets:
                targets = [*targets, "relay"]
            turn = number % len(targets)
            for target in targets[turn:] + targets[:turn]:
                # Without a proxy there is no bootstrap that could differ.
                if target == "direct" and scenario.name != scenario.direct:
                    continue
                print(f"round {number}/{settings.rounds}: {scenario.title}, {target}",
                      file=sys.stderr, flush=True)
                repeated(results, f"{scenario.title}, {target}",
                         lambda scenario=scenario, target=target: one(
                             settings, proxies, tool, results, number, scenario, target))
        turn = number % len(settings.targets)
        for target in settings.targets[turn:] + settings.targets[:turn]:
            repeated(results, f"new connections, {target}",
                     lambda target=target: more(number, target))


def one(settings, proxies, tool, results, number, scenario, target):
    """All figures of one scenario, with one target, in one round."""
    protocol, seconds, warmup = scenario.protocol, settings.seconds, settings.warmup

    def add(metric, value):
        results.add(scenario.name, target, metric, number, value)

    with proxies.start(target, scenario) as (process, call, started):
        if process:
            process.settle()
            if started is not None:
                add("start_ms", started)
            add("rss_idle", process.rss())
        if process and scenario.name in IDLE_SCENARIOS:
            add("idle_mb_per_1000", idle_growth(tool, call, process, IDLE_CONNS))
    # A fresh process for the load: what idle connections left behind is not its memory.
    with proxies.start(target, scenario) as (process, call, _):
        once(tool, call)
        full = saturate(call, process, seconds, warmup)
        add("rps", full["rps"])
        if process:
            add("cpu_sat", full["cpu"])
            add("user_sat", full["cpu"] * full["user"])
            add("busy_sat", full["busy"])
            add("rss_load", full["rss"])
        for name, rate, conns in (("fast", scenario.fast, protocol.conns), ("slow", SLOW,
                                                                   protocol.rate_conns)):
            figures_at_rate(results, (scenario.name, target, number), name, tool, call, process, rate,
                            seconds, warmup, conns, protocol.streams)


def subtract_direct(results):
    """Adds `added_p50_slow` and the like: the same round's figure less that of `direct`."""
    for scenario in [*SCENARIOS, *PAIRS, *INTERCEPTED]:
        for target in ("tandem", "envoy", "baseline", "relay"):
            for metric in ("p50_slow", "p99_slow", "p50_fast", "p99_fast"):
                direct = results.series(scenario.direct, "direct", metric)
                for number, value in results.series(scenario.name, target, metric).items():
                    if number in direct:
                        added = value - direct[number]
                        results.add(scenario.name, target, f"added_{metric}", number, added)
