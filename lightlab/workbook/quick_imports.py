"""Imported first by the command line and by attempts, for its effect.

jsonschema looks for rfc3987_syntax to check IRIs, which no notebook holds; that module builds a
grammar when imported, more than half of the start of every process. None in sys.modules makes the
import fail, and jsonschema then goes without the check.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def import_papermill() -> None:
    """Without pyarrow's file systems, which papermill wants for notebooks in Hadoop only: half of
    its time. Whoever needs them later finds them.
    """
    hidden = sys.modules.setdefault("pyarrow.fs", None) is None  # type: ignore[arg-type]
    try:
        import papermill  # noqa: F401
    finally:
        if hidden:
            del sys.modules["pyarrow.fs"]
