"""How a module is fitted, as one declaration. Light: torch is not imported."""

from typing import Literal

from pydantic import Field

from mlops_core.declaration import Declaration


class TorchSettings(Declaration):
    """How ``fit_module`` fits.

    A batch is shared among the processes, so the same settings give the same fit on one and on several.
    """

    epochs: int = Field(default=20, ge=1, le=100_000, description="At most; early stopping may end sooner")
    batch_rows: int = Field(default=1024, ge=1, description="Of one step, over all processes")
    optimiser: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    learning_rate_schedule: Literal["constant", "one_cycle"] = Field(
        default="constant", description="one_cycle rises for a third of the steps and falls to nothing"
    )
    weight_decay: float = Field(default=0.01, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Of sgd; adamw has its own")
    gradient_norm_limit: float | None = Field(default=1.0, gt=0, description="None does not clip")
    validation_share: float = Field(
        default=0.1, ge=0, lt=1, description="Rows that decide when to stop; 0 fits every epoch on all rows"
    )
    validation_rows: Literal["last", "random"] = Field(
        default="last",
        description="last respects time: rows arrive in the order of their partitions",
    )
    patience_epochs: int = Field(
        default=3, ge=1, description="Epochs without a better validation loss before it stops"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto takes a GPU where there is one"
    )
    mixed_precision: Literal["off", "float16", "bfloat16"] = Field(
        default="off", description="float16 needs a GPU and is off without one"
    )
    threads: int | None = Field(
        default=None, ge=1, description="Of one process on the CPU; torch's own if None"
    )
    checkpoint_seconds: float = Field(
        default=60.0, gt=0, description="Between checkpoints in an epoch; each epoch ends with one anyway"
    )
    checkpoint_steps: int | None = Field(default=None, ge=1, description="The same in steps; by time if None")

    def deciding(self) -> dict[str, object]:
        """Return what decides the weights: not where it is computed, nor how often it is kept."""
        return self.model_dump(
            mode="json", exclude={"device", "threads", "checkpoint_seconds", "checkpoint_steps"}
        )
