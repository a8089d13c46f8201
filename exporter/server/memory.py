"""Memory that the C library keeps for later use."""


def release_free_memory() -> None:
    """Return free memory of the heap to the system; only glibc has to be asked for it.

    glibc keeps freed memory below the highest block in use, however much it is.
    """
    try:
        import ctypes  # takes 7 ms and memory that most runs never need

        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, ImportError, OSError):  # another C library, or no file descriptor is left for the import
        return
    trim(0)
