"""How Hypothesis looks for examples: the same ones in each run, however busy the machine.

``pytest --hypothesis-profile=explore tests/unit tests/fuzz`` looks for new ones, twenty times as many.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A time limit for each example measures the machine, not ocrwatch.
settings.register_profile("same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", settings.get_profile("same"), derandomize=False, max_examples=2000)
settings.load_profile("same")
