"""Tell the model server what to serve, and see that it does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.operators.step import StepOperator, actor, effect_key
from mlops_core.operation import operation_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.registry.records import Deployment


class DeployOperator(StepOperator):
    """Deploy the version that a transition put into production; XCom: ``Deployment``.

    Parameters
    ----------
    transition
        What ``PromoteOperator``, ``RollBackOperator`` or ``AdoptOperator`` returned; templated.
    """

    template_fields: Sequence[str] = ("transition",)

    def __init__(self, *, transition: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.transition = transition

    def step(self, context: "Context") -> "Deployment":
        """Write the deployment that the model server follows."""
        from mlops_core.registry.records import Transition

        transition = Transition.model_validate(self.transition)
        return self.ledger.deploy(
            transition.model,
            version=transition.version,
            expected_generation=transition.generation,
            # Cleared after another promotion, it is another deployment.
            operation_key=operation_key(effect_key(context), transition.generation),
            actor=actor(context),
        )


class VerifyDeploymentOperator(StepOperator):
    """Ask the model server for predictions and compare them with the model's own; XCom: what was compared.

    Parameters
    ----------
    deployment
        What ``DeployOperator`` returned; templated.
    timeout_s
        How long the server may take to load the version, in seconds.
    """

    template_fields: Sequence[str] = ("deployment",)

    def __init__(self, *, deployment: Any, timeout_s: float = 60.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.deployment = deployment
        self.timeout_s = timeout_s

    def step(self, context: "Context") -> Any:  # noqa: ARG002
        """Wait for the version, send its input example, compare."""
        from mlops_core.models.version import load_version
        from mlops_core.registry.records import Deployment
        from mlops_core.serving.client import verify_deployment

        deployment = Deployment.model_validate(self.deployment)
        return verify_deployment(
            deployment,
            model_server_url=self.settings.model_server_url,
            timeout_s=self.timeout_s,
            model=load_version(deployment.version, tracking_uri=self.tracking_uri),
        )
