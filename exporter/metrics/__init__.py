"""Every metric, and the page that shows them: its bytes, its series limit, and when stale data leaves it.

The only package that names a metric.
"""
