"""lightlab: the package behind a workbook on finding small, good neural networks."""
