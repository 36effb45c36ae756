"""Models of scikit-learn over a matrix of features, kept as arrays without pickle: one file each, found by its name."""
