"""The dashboards: a package for each, whose module ``dashboard`` lists the rows from top to bottom."""
