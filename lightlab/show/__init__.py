"""Pictures and tables. Data frames in, figures out."""
