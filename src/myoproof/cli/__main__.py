"""`python -m myoproof.cli`."""

from myoproof.cli.app import main

main()
