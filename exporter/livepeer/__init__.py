"""The client of Livepeer Studio's API: requests, pagination, decoding, errors. The only package that imports httpx."""
