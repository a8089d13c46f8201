"""The version of the program: one place, read by the build and by every command."""

VERSION = "0.1.0"
