"""The version of the program, read by the build and by the program itself."""

VERSION = "0.1.0"
