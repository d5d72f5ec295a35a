"""The load under which a profile for the compiler is taken: see bench/release."""

import sys

from .data_plane import SLOW
from .load import at_rate
from .pair import PAIRS
from .results import Results
from .runtime_api import RATE
from .scenarios import SCENARIOS

RUNTIME_ROUNDS = 6


def train(settings, proxies, pairs, runtime):
    """Every scenario at two rates, none of them near what a binary that counts can do; and the
    runtime API. The figures mean nothing."""
    for starter, scenarios in ((proxies, SCENARIOS), (pairs, PAIRS)):
        for scenario in scenarios:
            print(f"{scenario.title}", file=sys.stderr, flush=True)
            protocol = scenario.protocol
            with starter.start("tandem", scenario) as (process, call, _):
                for rate in (SLOW // 2, RATE):
                    at_rate(settings.tool, call, process, rate, settings.seconds, settings.warmup,
                            protocol.rate_conns, protocol.streams)
    # As much of it as of all the others, or the compiler takes it for what is seldom done.
    settings.rounds = RUNTIME_ROUNDS
    runtime.measure(Results())
