"""What the user of a request may see and do, asked of Airflow's auth manager."""

from dataclasses import dataclass
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.models.dag import DagModel
from fastapi import Depends, HTTPException, status

from airflow_mlops.dag_ids import dag_id_of
from mlops_core.registry.records import ApprovalRequest

ROLL_BACK_DAG = "mlops__rollback"
_TRAINING = dag_id_of("", "train")


@dataclass(frozen=True)
class Access:
    """One user's rights. A model is readable for those who may read its training DAG."""

    user: Any

    def readable_models(self) -> frozenset[str]:
        """Return the names of all models that the user may read, in one question."""
        dags = get_auth_manager().get_authorized_dag_ids(user=self.user, method="GET")
        return frozenset(dag.removesuffix(_TRAINING) for dag in dags if dag.endswith(_TRAINING))

    def may_read(self, model: str) -> bool:
        """Return whether the user may read the model's page."""
        return self._is_authorized("GET", dag_id_of(model, "train"))

    def may_trigger(self, dag_id: str) -> bool:
        """Return whether the user may start runs of the DAG."""
        return self._is_authorized("POST", dag_id, DagAccessEntity.RUN)

    def may_answer(self, request: ApprovalRequest) -> bool:
        """Return whether the user may approve or reject what waits."""
        if self.caused(request) or not self._is_authorized(
            "PUT", request.dag_id, DagAccessEntity.HITL_DETAIL
        ):
            return False
        named = set(request.approvers)
        return not named or get_auth_manager().is_authorized_hitl_task(assigned_users=named, user=self.user)

    def caused(self, request: ApprovalRequest) -> bool:
        """Return whether the user asked for what waits, and somebody else must decide on a risk so high."""
        return request.risk == "high" and request.requested_by in {self.user.get_id(), self.user.get_name()}

    def _is_authorized(self, method: Any, dag_id: str, entity: DagAccessEntity | None = None) -> bool:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        return bool(
            get_auth_manager().is_authorized_dag(
                method=method, access_entity=entity, details=details, user=self.user
            )
        )


def _access(user: Annotated[Any, Depends(get_user)]) -> Access:
    return Access(user)


AccessDep = Annotated[Access, Depends(_access)]


def require_reader(model: str, access: AccessDep) -> Access:
    """Refuse a user who may not read the model; whether it exists makes no difference to the answer."""
    if not access.may_read(model):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            f"You may not read this model: it takes the right to read the DAG {dag_id_of(model, 'train')}.",
        )
    return access


ReaderDep = Annotated[Access, Depends(require_reader)]
