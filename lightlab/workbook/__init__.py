"""What makes a notebook part of the workbook: parameters, records, claims, runs, the site."""

import sys

# jsonschema, which nbformat imports, builds grammars of internationalised addresses where this
# package is installed (JupyterLab brings it): two seconds in every process that reads a notebook,
# for a check that notebooks have no field for. None in its place: as if it were not installed.
sys.modules.setdefault("rfc3987_syntax", None)
