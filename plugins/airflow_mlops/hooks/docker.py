"""From the Docker provider's hook and connection to the library's engine."""

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from mlops_core.containers.address import EngineAddress
    from mlops_core.containers.engine import ContainerEngine


def connect_engine(address: "EngineAddress", *, docker_conn_id: str | None) -> "ContainerEngine":
    """Return the engine at an address, signed in to the registry of a connection where one is named.

    Raises
    ------
    DockerUnavailableError
        If the engine does not answer.
    """
    from mlops_core.containers.address import connect
    from mlops_core.containers.engine import ContainerEngine
    from mlops_core.errors import DockerUnavailableError

    if docker_conn_id is None:
        return ContainerEngine(connect(address))
    from airflow.providers.docker.hooks.docker import DockerHook

    hook = DockerHook(docker_conn_id=docker_conn_id, base_url=address.url, tls=address.tls_config())
    try:
        return ContainerEngine(hook.get_conn())
    except AirflowException as error:
        raise DockerUnavailableError(
            f"the Docker engine at {address.url} does not answer: {error}"
        ) from error
