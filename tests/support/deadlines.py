"""Time limits of tests."""

from typing import Final

HANG: Final = 180.0
"""Seconds after which a test that still waits is considered hung.

This bounds every wait for something that must happen. It is far above what anything takes on a heavily loaded
machine, and never the time that a test is about: these tests use a clock of their own, or compare a mechanism with
one that would take far longer than this.
"""

NEVER: Final = 100 * HANG
"""Seconds for timeouts and delays that must not expire: a test that depends on one hangs, and fails."""
