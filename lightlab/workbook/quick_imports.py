"""papermill without what it imports for nothing."""

import sys


def import_papermill() -> None:
    """Without pyarrow's file systems, half of its time, which are for notebooks in Hadoop only;
    whoever imports them later finds them."""
    hidden = sys.modules.setdefault("pyarrow.fs", None) is None  # type: ignore[arg-type]
    try:
        import papermill  # noqa: F401
    finally:
        if hidden:
            del sys.modules["pyarrow.fs"]
