"""The ``mlops`` command line: the embedded platform, the demo, and the check of one model."""
