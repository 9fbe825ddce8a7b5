"""`python -m stock_assets`: the command line, where its script is not on the path."""

from stock_assets.cli import main

main()
