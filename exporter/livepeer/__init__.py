"""The client of Livepeer Studio's API: requests and retries, pagination, decoding, and an error for each status code.

The only package that imports httpx.
"""
