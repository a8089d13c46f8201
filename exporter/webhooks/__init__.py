"""Livepeer's webhooks: signature, event, and what a valid call causes. Independent of the API and the server."""
