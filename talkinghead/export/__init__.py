"""Motion that leaves for other tools, and comes back: a file a format, one table of them in `formats`."""
