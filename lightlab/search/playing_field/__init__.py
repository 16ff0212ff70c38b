"""All methods under equal conditions: one space, one table, one data set, one budget axis."""
