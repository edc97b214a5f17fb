"""Signatures of model versions. Light: who signs or verifies imports ``signer`` or ``verifier``."""

from mlops_core.signing.statement import Signature, SignedVersion, Statement, Version, statement_of

__all__ = ["Signature", "SignedVersion", "Statement", "Version", "statement_of"]
