"""Every error that the library raises, drawn as one tree.

::

    MlopsError
    ├── DeclarationError            a pipeline or a call is written wrongly
    │   ├── UnknownMetricError
    │   └── BrokenExpectationError  a check of the suite could not be computed
    ├── RejectedError               a decision: no. Trying again gives the same answer
    │   ├── DataRejectedError       validation refused a partition
    │   ├── EmptySampleError        a statistic was asked of no rows
    │   ├── SnapshotMissingError    a table, a partition or a column is not there
    │   ├── CorruptedDataError      stored data differ from their digest
    │   ├── UntrustedModelError     a model differs from what was stored and signed, or its format is refused
    │   ├── SigningKeyError         the key that signs is missing, open to others, or of another kind
    │   ├── EvaluationError         a score is missing, not finite, out of range, or of other rows
    │   ├── GateRefusedError        a gate said no
    │   │   └── ApprovalMissingError    the person who must say yes did not
    │   ├── ProfileMissingError     a version has no reference profile to compare a window with
    │   ├── RetrainingRefusedError  the retraining policy said no
    │   ├── PromotionConflictError  another transition came first
    │   ├── RollbackRefusedError    there is nothing to roll back to
    │   ├── RetirementRefusedError  the version is in use, or may be again
    │   ├── ArchiveMissingError     a retired version's archive was freed, or is not where it was put
    │   ├── RegistryMismatchError   MLflow contradicts the ledger, and only a person can settle it
    │   ├── NotReproducibleError    what a version was made of is not recorded, or cannot be had again
    │   ├── ReproductionDiffersError    a version was built again, and the second model differs
    │   ├── NotInProductionError    the model has no version in production
    │   ├── InvalidRecordsError     records to predict do not fit the model's features
    │   └── VerificationError       what is served is not what was deployed
    ├── ContainerError              a container could not be made, or ended otherwise than well
    │   ├── ContainerFailedError        its process ended with an exit code that is not 0
    │   ├── ContainerOutOfMemoryError   it needed more than its memory limit
    │   ├── ContainerTimeoutError       it had its time
    │   ├── ImageMissingError           the engine has no such image, and could not pull it
    │   ├── GpuMissingError             the engine has not the GPUs asked for
    │   ├── GpusBusyError               it has them, and others use them. Trying again may help
    │   └── DiskFullError               no space was left. Trying again may help
    ├── PlatformError               the embedded platform cannot be started, ended or used as asked
    │   └── StoryError              the demo went otherwise than it must
    └── ServiceUnavailableError     something outside did not answer. Trying again may help
        ├── CommitConflictError     other writers kept coming first
        ├── RegistryUnavailableError
        ├── LedgerUnavailableError
        ├── LeaderFailedError       the first of several processes of a train job has failed
        ├── ModelServerUnavailableError
        ├── DockerUnavailableError
        ├── ImageUnavailableError   the registry of an image did not answer the engine
        ├── ContainerInterruptedError   the engine or its machine went away under a container
        └── ContainerLostError          somebody removed a container that was being followed

A message names the value, the bound and the way out.
"""


class MlopsError(Exception):
    """Base of every error that the library raises."""


class DeclarationError(MlopsError):
    """A pipeline, a plan or a call is written wrongly; only an edit helps."""


class UnknownMetricError(DeclarationError):
    """No metric of that name is registered."""


class BrokenExpectationError(DeclarationError):
    """A check of the expectation suite could not be computed, so it says nothing about the data."""


class RejectedError(MlopsError):
    """A decision against the data, the model or the request; a retry gives the same answer."""


class DataRejectedError(RejectedError):
    """Validation refused a partition."""


class EmptySampleError(RejectedError):
    """A statistic was asked of no rows."""


class SnapshotMissingError(RejectedError):
    """A table, a partition or a column was asked for that is not there."""


class CorruptedDataError(RejectedError):
    """Stored data differ from the digest under which they were published."""


class UntrustedModelError(RejectedError):
    """A model's files or record differ from what was stored and signed, or its format is refused."""


class SigningKeyError(RejectedError):
    """The key that signs is missing, open to others, not trusted, or of another kind."""


class EvaluationError(RejectedError):
    """A score is missing, not finite, outside its metric's range, or of other rows."""


class GateRefusedError(RejectedError):
    """A gate refused the challenger."""


class ApprovalMissingError(GateRefusedError):
    """Nobody who must approve a promotion has approved exactly this one, or somebody took it back."""


class ProfileMissingError(RejectedError):
    """A version has no reference profile to compare a window with."""


class RetrainingRefusedError(RejectedError):
    """The retraining policy refused the request."""


class PromotionConflictError(RejectedError):
    """Another transition of the same model came first."""


class RollbackRefusedError(RejectedError):
    """There is nothing to roll back to."""


class RetirementRefusedError(RejectedError):
    """A version cannot be retired: it is in use, or a roll back may bring it back."""


class ArchiveMissingError(RejectedError):
    """A retired version's archive was freed by retention, or is not where it was put."""


class RegistryMismatchError(RejectedError):
    """MLflow contradicts the ledger in a way that only a person can settle."""


class NotReproducibleError(RejectedError):
    """What a version was made of was not recorded, or its environment cannot be had again."""


class ReproductionDiffersError(RejectedError):
    """A version was built again from what was recorded, and the second model differs from the first."""


class NotInProductionError(RejectedError):
    """The model has no version in production."""


class InvalidRecordsError(RejectedError):
    """Records to predict do not fit the model's features; ``args`` are the problems, each with a place."""

    def __str__(self) -> str:
        return "; ".join(str(problem) for problem in self.args)


class VerificationError(RejectedError):
    """What is served is not what was deployed."""


class ServiceUnavailableError(MlopsError):
    """Something outside the process did not answer; a retry may help."""


class CommitConflictError(ServiceUnavailableError):
    """Another writer made a table's next version first; nothing was changed."""


class RegistryUnavailableError(ServiceUnavailableError):
    """The MLflow server did not answer."""


class LedgerUnavailableError(ServiceUnavailableError):
    """The ledger's database did not answer."""


class LeaderFailedError(ServiceUnavailableError):
    """The first of several processes of a train job has failed; its own error says why."""


class ModelServerUnavailableError(ServiceUnavailableError):
    """The model server did not answer."""


class DockerUnavailableError(ServiceUnavailableError):
    """The Docker engine did not answer."""


class ImageUnavailableError(ServiceUnavailableError):
    """The registry of an image did not answer the engine, or had too much to do."""


class ContainerInterruptedError(ServiceUnavailableError):
    """A container was ended from outside while the engine or its machine went away; a retry may end well."""


class ContainerLostError(ServiceUnavailableError):
    """A container was removed by somebody before its end was seen; another try makes a new one."""


class ContainerError(MlopsError):
    """A container could not be made, or ended otherwise than well; unless said so, a retry is no help."""


class ContainerFailedError(ContainerError):
    """A container's process ended with an exit code that is not 0, or left no result.

    Parameters
    ----------
    exit_code
        None where the process ended well and yet left no result.
    """

    def __init__(self, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class ContainerOutOfMemoryError(ContainerError):
    """A container needed more than its memory limit; raise ``memory_mb``."""


class ContainerTimeoutError(ContainerError):
    """A container did not end within the time it was given."""


class ImageMissingError(ContainerError):
    """The engine does not have the image and could not pull it."""


class GpuMissingError(ContainerError):
    """The engine does not have the GPUs that were asked for."""


class GpusBusyError(ContainerError):
    """The engine has the GPUs, and other containers hold them; a retry may find them free."""


class DiskFullError(ContainerError):
    """The engine's disk or a container's file system was full; a retry may find room."""


class PlatformError(MlopsError):
    """The embedded platform cannot be started, ended or used as asked."""


class StoryError(PlatformError):
    """The demo went otherwise than it must."""
