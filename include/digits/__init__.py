"""The model of handwritten digits, on the scans that scikit-learn bundles."""
