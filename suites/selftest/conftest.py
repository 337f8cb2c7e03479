"""What all selftests share: how many examples hypothesis tries."""

from hypothesis import settings

# Two hundred of the suite's own tests have to fit into what a person waits for.
settings.register_profile("selftest", max_examples=50, deadline=None)
settings.load_profile("selftest")
