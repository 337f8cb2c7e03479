"""The releases of vLLM that the dialects were read from, and some that lie between them."""

from itertools import pairwise

from packaging.version import Version

_READ = """
    0.5.4 0.5.5
    0.6.0 0.6.1.post2 0.6.2 0.6.3.post1 0.6.4.post1 0.6.5 0.6.6.post1
    0.7.0 0.7.2 0.7.3
    0.8.0 0.8.3 0.8.5.post1
    0.9.0 0.9.1 0.9.2
    0.10.0 0.10.1.1 0.10.2
    0.11.0 0.12.0 0.13.0 0.14.1 0.15.1 0.16.0 0.17.1 0.18.1 0.19.1
    0.20.2 0.21.0 0.22.1 0.23.0 0.24.0 0.25.1 0.26.0 0.27.1 0.28.0 0.29.0
    0.31.0 0.33.0
"""
RUNGS = tuple(map(Version, _READ.split()))
assert len(RUNGS) == 42
assert all(older < newer for older, newer in pairwise(RUNGS))

BETWEEN = {
    Version(version): Version(rung)
    for version, rung in (
        ("0.5.5.dev0", "0.5.5"),
        ("0.6.1", "0.6.0"),
        ("0.6.3", "0.6.2"),
        ("0.6.4", "0.6.3.post1"),
        ("0.8.5", "0.8.3"),
        ("0.9.0.1", "0.9.0"),
        ("0.10.1", "0.10.0"),
        ("0.10.1.1rc1", "0.10.1.1"),
        ("0.17.0", "0.16.0"),
        ("0.23.1.dev7+g0", "0.23.0"),
        ("0.29.0+cpu", "0.29.0"),
        ("0.30.0", "0.29.0"),
        ("0.32.0", "0.31.0"),
        ("0.33.1.dev12+gabc", "0.33.0"),
        ("1.0.0", "0.33.0"),
    )
}
"""Versions that are no rung, with the rung whose words they take."""
