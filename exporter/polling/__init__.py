"""When an account is polled, one poll, and the backoff after a failure, such as a 429.

The only package that imports APScheduler.
"""
