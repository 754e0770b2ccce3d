"""What holds for every test."""

import hypothesis

# A busy machine is no failure. Everything else is as Hypothesis chooses: under
# CI it draws the same examples each time.
hypothesis.settings.register_profile("patient", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("patient")
