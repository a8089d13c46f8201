"""When an account is polled, and one poll with its backoff. The only package that imports APScheduler."""
