"""What makes a notebook part of the workbook: parameters, records, claims, runs, the site."""
