"""The one way in which a measurement ends badly."""

import sys

TRIES = 3


class Failed(Exception):
    """A figure could not be had honestly; nothing is reported in its place."""


def repeated(results, whose, measurement):
    """Does it again, as a whole, where it failed: a machine that stands still for seconds fails
    requests of anybody. Whose it was, and how often, is in the report, since it may be a proxy's fault
    as well; what fails three times ends the run."""
    for left in reversed(range(TRIES)):
        try:
            return measurement()
        except Failed as failure:
            if not left:
                raise
            print(f"again: {failure}"[:500], file=sys.stderr, flush=True)
            results.repeats[whose] = results.repeats.get(whose, 0) + 1
