"""The Stream dashboard: one stream across its sessions, and its objective."""
