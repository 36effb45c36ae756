"""`python -m distill`."""

from distill.cli.app import main

main()
