import pytest
from docker.errors import APIError, NotFound

from mlops_core.containers.refusals import pull_refusal, refusal, translated
from mlops_core.errors import (
    ContainerError,
    ContainerFailedError,
    DiskFullError,
    DockerUnavailableError,
    GpuMissingError,
    ImageMissingError,
    ImageUnavailableError,
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ('could not select device driver "" with capabilities: [[gpu]]', GpuMissingError),
        ("nvidia-container-cli: device error: 7: unknown device: unknown", GpuMissingError),
        ("write /var/lib/docker/tmp/x: no space left on device", DiskFullError),
        ('exec: "x": executable file not found in $PATH: unknown', ContainerFailedError),
        ("invalid mount config", ContainerError),
    ],
)
def test_engines_words_mean(said: str, meant: type[ContainerError]) -> None:
    error = refusal(said, doing="create mlops-x-0")

    assert type(error) is meant
    assert said in str(error)
    assert "create mlops-x-0" in str(error)


def test_socket_that_is_gone_means_that_the_engine_is_unavailable() -> None:
    with (
        pytest.raises(DockerUnavailableError, match="asked to list containers"),
        translated("list containers"),
    ):
        raise FileNotFoundError("docker.sock")


_ASKED = 'Get "https://registry.example.org/v2/": '


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("manifest for x:1 not found: manifest unknown: manifest unknown", ImageMissingError),
        ("pull access denied for x, repository does not exist or may require a login", ImageMissingError),
        (f"{_ASKED}unauthorized: authentication required", ImageMissingError),
        (f"{_ASKED}dial tcp: lookup registry.example.org: no such host", ImageMissingError),
        (f"{_ASKED}dial tcp 10.0.0.7:443: i/o timeout", ImageUnavailableError),
        (f"{_ASKED}net/http: request canceled (Client.Timeout exceeded)", ImageUnavailableError),
        (f"{_ASKED}dial tcp 10.0.0.7:443: connect: connection refused", ImageUnavailableError),
        (f"{_ASKED}read tcp 10.0.0.1:1->10.0.0.7:443: read: connection reset by peer", ImageUnavailableError),
        ("toomanyrequests: You have reached your pull rate limit", ImageUnavailableError),
        ("received unexpected HTTP status: 503 Service Unavailable", ImageUnavailableError),
        ("unexpected status code 429: access denied for now", ImageUnavailableError),
        ("write /var/lib/docker/tmp/x: no space left on device", DiskFullError),
        ("filesystem layer verification failed", ContainerError),
    ],
)
def test_what_an_engine_says_of_a_pull_tells_a_wrong_name_from_a_registry_that_is_away(
    said: str, meant: type[Exception]
) -> None:
    error = pull_refusal(said, image="registry.example.org:503/x:429")

    assert type(error) is meant
    assert said in str(error)
    assert "registry.example.org:503/x:429" in str(error)


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        (NotFound("404 Client Error", explanation="pull access denied for x"), ImageMissingError),
        (APIError("500 Server Error", explanation=f"{_ASKED}dial tcp: i/o timeout"), ImageUnavailableError),
    ],
)
def test_pull_that_is_refused_at_once_means_the_same(answer: APIError, meant: type[Exception]) -> None:
    with pytest.raises(meant), translated("pull x", pulling="x"):
        raise answer
