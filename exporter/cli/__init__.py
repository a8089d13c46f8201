"""The command line: flags, and one module for each command."""
