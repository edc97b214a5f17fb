"""Looking for parameters, and cross-validation: both on the training rows alone."""
