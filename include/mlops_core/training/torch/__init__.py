"""Fitting a PyTorch module: mini-batches, early stopping, checkpoints, one process or several.

Import from its modules: ``settings`` is light, ``fitting`` imports torch.
"""
