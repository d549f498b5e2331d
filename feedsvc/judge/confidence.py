"""How sure a finding is: the rule's prior, and named weights that evidence adds to it on the scale of log-odds. Pure.

On that scale what independent evidence says adds up, and no sum leaves 0 to 100 %. A weight of 1 multiplies the odds by 2.7;
one of -2 turns 70 % into 24 %.
"""

from __future__ import annotations

import math

CLAIMED = -2.0
"""Nobody but clients says that the name is at the address: malware names a bank in its TLS hello as easily as itself."""

_LEAST, _MOST = 0.005, 0.995  # what a prior of 0 or 100 counts as: certainty has no odds


def weigh(prior: int, *weights: float) -> int:
    """A confidence of 0 to 100 after some weights; without any it is the prior as it is."""
    if not weights:
        return prior
    share = min(max(prior / 100, _LEAST), _MOST)
    odds = math.log(share / (1 - share)) + sum(weights)
    return round(100 / (1 + math.exp(-odds)))
