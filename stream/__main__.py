"""`python -m stream` is the command `trivium`."""

from stream.cli import main

main()
