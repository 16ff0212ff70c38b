"""`python -m lightlab` does what `lightlab` does."""

from lightlab.workbook.cli import main

main()
