"""From the Docker provider's hook and connection to the library's engine."""

from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

if TYPE_CHECKING:
    from mlops_core.containers.address import EngineAddress
    from mlops_core.containers.engine import ContainerEngine


def connect_engine(
    address: "EngineAddress", *, docker_conn_id: str | None, gpu_slots: int = 0
) -> "ContainerEngine":
    """Return the engine at an address, signed in to the registry of a connection where one is named.

    Parameters
    ----------
    gpu_slots
        As ``ContainerEngine`` takes it.

    Raises
    ------
    DockerUnavailableError
        If the engine does not answer.
    ImageUnavailableError
        If the registry does not answer the engine.
    DeclarationError
        If there is no such connection, or the registry refuses it.
    """
    from mlops_core.containers.address import connect
    from mlops_core.containers.engine import ContainerEngine
    from mlops_core.containers.refusals import sign_in_refusal
    from mlops_core.errors import DeclarationError, DockerUnavailableError

    if docker_conn_id is None:
        return ContainerEngine(connect(address), gpu_slots=gpu_slots)
    from airflow.providers.docker.hooks.docker import DockerHook
    from docker.errors import APIError

    hook = DockerHook(docker_conn_id=docker_conn_id, base_url=address.url, tls=address.tls_config())
    try:
        return ContainerEngine(hook.get_conn(), gpu_slots=gpu_slots)
    except APIError as error:
        raise sign_in_refusal(str(error.explanation or error), connection=docker_conn_id) from error
    except (AirflowNotFoundException, ValueError) as error:
        raise DeclarationError(
            f"connection {docker_conn_id!r} cannot sign in to a registry: {error}; make it, of type docker, "
            "with host, login and password"
        ) from error
    except (AirflowException, OSError) as error:
        raise DockerUnavailableError(
            f"the Docker engine at {address.url} does not answer: {error}"
        ) from error
