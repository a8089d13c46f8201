"""The Streams dashboard: one row per stream, and the account over time."""
