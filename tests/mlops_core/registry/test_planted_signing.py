"""Planted models: each way to bring in another one than was signed, and the words that keep it out."""

import functools
import io
import json
import pickle
import sys
import timeit
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest
import skops.io
import torch
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import airflow_mlops
import mlops_core
import torch_models
import toy_models
from mlops_core.errors import MlopsError, SigningKeyError, UntrustedModelError
from mlops_core.models.directory import model_digest
from mlops_core.models.stored import load_model, log_model
from mlops_core.models.trust import TrustedCode
from mlops_core.models.version import check_version, load_version
from mlops_core.pipeline import Pipeline
from mlops_core.registry.records import VersionRecord
from mlops_core.signing.signer import Signer
from mlops_core.tracking import adopt_or_create_run, tracking_client
from signing_keys import signed
from stored_examples import binary_rows, network, trees

pytestmark = pytest.mark.slow

_ROWS = binary_rows()
_CHANGED = "they were changed after they were stored"
_NO_FIT = "does not fit its signature"


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class Stranger:
    """A type that nobody has declared."""

    def __init__(self) -> None:
        self.value = 1


class Place:
    """A store of models, versions signed in it, and hands that change them."""

    def __init__(self, folder: Path, *, tracking_uri: str, name: str) -> None:
        self.exploded = folder / "exploded"
        self.tracking_uri = tracking_uri
        self._name = name
        self._estimators = {
            "skops": (trees(_ROWS), toy_models.BINARY),
            "torch": (network(), torch_models.BINARY),
        }

    def version(self, number: int = 1, *, stored_as: str = "skops") -> VersionRecord:
        """Store and sign a version."""
        estimator, pipeline = self._estimators[stored_as]
        return _stored(estimator, pipeline, number=number, name=self._name, tracking_uri=self.tracking_uri)

    def files(self, version: VersionRecord) -> Path:
        """Where the store keeps the version's own files."""
        model = tracking_client(self.tracking_uri).get_logged_model(version.uri.removeprefix("models:/"))
        return Path(model.artifact_location.removeprefix("file://"))

    def signed_anew(self, version: VersionRecord) -> VersionRecord:
        """Return what a signer vouches for who was deceived: the digest and the signature fit the files."""
        return signed(version.model_copy(update={"digest": model_digest(self.files(version))}))

    def described(self, version: VersionRecord, change: Callable[[dict[str, Any]], object]) -> VersionRecord:
        """Change the MLmodel and have it signed."""
        path = self.files(version) / "MLmodel"
        content = yaml.safe_load(path.read_text())
        change(content["flavors"])
        path.write_text(yaml.safe_dump(content))
        return self.signed_anew(version)

    def self_trusting(self, version: VersionRecord, **lists: list[str]) -> VersionRecord:
        """Have the model's own files name what it may be built from, and have them signed."""
        path = self.files(version) / "MLmodel"
        content = yaml.safe_load(path.read_text())
        content["metadata"]["mlops"].update(lists)
        path.write_text(yaml.safe_dump(content))
        return self.signed_anew(version)


def _stored(
    estimator: object, pipeline: Pipeline, *, number: int, name: str, tracking_uri: str
) -> VersionRecord:
    client = tracking_client(tracking_uri)
    run_id = adopt_or_create_run(
        client, experiment="planted", operation_key=f"{name}/{number}", run_name=name, tags={}
    )
    model = log_model(
        client,
        run_id=run_id,
        estimator=estimator,
        pipeline=pipeline,
        input_example=_ROWS.features.head(5),
        features=_ROWS.types,
    )
    return signed(
        VersionRecord(
            model=pipeline.name,
            version=number,
            digest=model.digest,
            uri=model.uri,
            run_id=model.run_id,
            evidence_digest="e" * 64,
        )
    )


def _tampered(place: Place) -> VersionRecord:
    version = place.version()
    path = place.files(version) / "model.skops"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return version


def _extra_file(place: Place) -> VersionRecord:
    version = place.version()
    (place.files(version) / "extra.txt").write_text("")
    return version


def _removed_file(place: Place) -> VersionRecord:
    version = place.version()
    (place.files(version) / "requirements.txt").unlink()
    return version


def _renamed_file(place: Place) -> VersionRecord:
    version = place.version()
    path = place.files(version) / "requirements.txt"
    path.rename(path.with_name("requirements.old"))
    return version


def _link_outside(place: Place) -> VersionRecord:
    version = place.version()
    (place.files(version) / "hosts").symlink_to("/etc/hosts")
    return version


def _link_inside(place: Place) -> VersionRecord:
    version = place.version()
    (place.files(version) / "more.yaml").symlink_to("conda.yaml")
    return version


def _all_files_of_another(place: Place) -> VersionRecord:
    version, other = place.version(), place.files(place.version(2))
    for path in place.files(version).iterdir():
        path.write_bytes((other / path.name).read_bytes())
    return version


def _wrong_key(place: Place) -> VersionRecord:
    version = place.version()
    assert version.signature is not None
    stranger = Signer(Ed25519PrivateKey.generate()).sign(version)
    claimed = stranger.model_copy(update={"key_id": version.signature.key_id})
    return version.model_copy(update={"signature": claimed})


def _unknown_key(place: Place) -> VersionRecord:
    version = place.version()
    return version.model_copy(update={"signature": Signer(Ed25519PrivateKey.generate()).sign(version)})


def _replayed(place: Place) -> VersionRecord:
    return place.version(2).model_copy(update={"signature": place.version(1).signature})


def _of_another_model(place: Place) -> VersionRecord:
    version = place.version()
    other = signed(version.model_copy(update={"model": "another"}))
    return version.model_copy(update={"signature": other.signature})


def _unsigned(place: Place) -> VersionRecord:
    return place.version().model_copy(update={"signature": None})


def _evidence_swapped(place: Place) -> VersionRecord:
    return place.version().model_copy(update={"evidence_digest": "f" * 64})


def _uri_swapped(place: Place) -> VersionRecord:
    return place.version().model_copy(update={"uri": place.version(2).uri})


def _uri_and_digest_swapped(place: Place) -> VersionRecord:
    other = place.version(2)
    return place.version().model_copy(update={"uri": other.uri, "digest": other.digest})


def _uri_swapped_before_signing(place: Place) -> VersionRecord:
    return signed(place.version().model_copy(update={"uri": place.version(2).uri}))


def _pickle(place: Place) -> VersionRecord:
    version = place.version()
    (place.files(version) / "model.pkl").write_bytes(pickle.dumps(Bomb(place.exploded)))
    return place.described(
        version, lambda flavours: flavours["sklearn"].update(serialization_format="pickle")
    )


def _cloudpickle(place: Place) -> VersionRecord:
    return place.described(
        place.version(), lambda flavours: flavours["sklearn"].update(serialization_format="cloudpickle")
    )


def _joblib(place: Place) -> VersionRecord:
    version = place.version()
    joblib.dump(Bomb(place.exploded), place.files(version) / "model.joblib")
    return place.described(
        version, lambda flavours: flavours["sklearn"].update(serialization_format="joblib")
    )


def _joblib_beside(place: Place) -> VersionRecord:
    version = place.version()
    joblib.dump(Bomb(place.exploded), place.files(version) / "model.joblib")
    return place.signed_anew(version)


def _keras(place: Place) -> VersionRecord:
    return place.described(place.version(), lambda flavours: flavours.update(keras=flavours.pop("sklearn")))


def _second_flavour(place: Place) -> VersionRecord:
    return place.described(place.version(), lambda flavours: flavours.update(xgboost={"data": "model.xgb"}))


def _python_model(place: Place) -> VersionRecord:
    version = place.version()
    (place.files(version) / "python_model.pkl").write_bytes(pickle.dumps(Bomb(place.exploded)))

    def change(flavours: dict[str, Any]) -> None:
        del flavours["sklearn"]
        flavours["python_function"] = {
            "loader_module": "mlflow.pyfunc.model",
            "python_model": "python_model.pkl",
            "cloudpickle_version": "3.1.2",
        }

    return place.described(version, change)


def _python_model_beside(place: Place) -> VersionRecord:
    return place.described(
        place.version(), lambda flavours: flavours["python_function"].update(python_model="python_model.pkl")
    )


def _code_paths(place: Place) -> VersionRecord:
    version = place.version()
    (place.files(version) / "code").mkdir()
    (place.files(version) / "code" / "sklearn.py").write_text("print('run')\n")
    return place.described(version, lambda flavours: flavours["python_function"].update(code="code"))


def _code_of_the_flavour(place: Place) -> VersionRecord:
    return place.described(place.version(), lambda flavours: flavours["sklearn"].update(code="code"))


def _loader_module(place: Place) -> VersionRecord:
    return place.described(
        place.version(), lambda flavours: flavours["python_function"].update(loader_module="os")
    )


def _environment_script(place: Place) -> VersionRecord:
    version = place.version()
    script = place.files(version) / "etc" / "conda" / "activate.d" / "run.sh"
    script.parent.mkdir(parents=True)
    script.write_text("touch exploded\n")
    return place.signed_anew(version)


def _untrusted_type(place: Place) -> VersionRecord:
    version = place.version()
    (place.files(version) / "model.skops").write_bytes(skops.io.dumps(Stranger()))
    return place.signed_anew(version)


def _function_of_the_system(place: Place) -> VersionRecord:
    version = place.version()
    path = place.files(version) / "model.skops"
    content = io.BytesIO()
    described = {"__class__": "system", "__module__": "os", "__loader__": "TypeNode", "__id__": 1}
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("schema.json", json.dumps({**described, "protocol": 2, "_skops_version": "0.16.0"}))
    path.write_bytes(content.getvalue())
    return place.signed_anew(version)


def _pickle_as_skops(place: Place) -> VersionRecord:
    version = place.version()
    (place.files(version) / "model.skops").write_bytes(pickle.dumps(Bomb(place.exploded)))
    return place.signed_anew(version)


def _pickle_as_weights(place: Place) -> VersionRecord:
    version = place.version(stored_as="torch")
    weights = place.files(version) / "data" / "network" / "weights.pt"
    torch.save({"layer": Bomb(place.exploded)}, weights)
    return place.signed_anew(version)


def _class_of_another_package(place: Place) -> VersionRecord:
    version = place.version(stored_as="torch")
    path = place.files(version) / "data" / "network" / "network.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "class": "subprocess:Popen"}))
    return place.signed_anew(version)


def _any_python(place: Place) -> VersionRecord:
    """Plant a step that runs a text as Python: ``timeit.timeit`` runs its second argument before it times."""
    version = place.version()
    run = functools.partial(timeit.timeit, "pass", f"open({str(place.exploded)!r}, 'w').close()")
    planted = make_pipeline(FunctionTransformer(run), trees(_ROWS))
    (place.files(version) / "model.skops").write_bytes(skops.io.dumps(planted))
    return place.signed_anew(version)


def _any_python_trusted_by_itself(place: Place) -> VersionRecord:
    return place.self_trusting(_any_python(place), trusted_types=["timeit.timeit"])


def _module_elsewhere(place: Place) -> VersionRecord:
    """Plant a class whose module runs code when it is imported."""
    version = place.version(stored_as="torch")
    path = place.files(version) / "data" / "network" / "network.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "class": "elsewhere:Network"}))
    code = f"open({str(place.exploded)!r}, 'w').close()\nfrom torch_models import Network\n"
    (place.exploded.parent / "elsewhere.py").write_text(code)
    return place.signed_anew(version)


def _package_trusted_by_itself(place: Place) -> VersionRecord:
    return place.self_trusting(_module_elsewhere(place), packages=["elsewhere", "torch_models"])


def _class_trusted_by_itself(place: Place) -> VersionRecord:
    return place.self_trusting(_module_elsewhere(place), trusted_types=["elsewhere.Network"])


_PLANTED: dict[str, tuple[Callable[[Place], VersionRecord], str]] = {
    "a tampered file": (_tampered, _CHANGED),
    "an extra file": (_extra_file, _CHANGED),
    "a removed file": (_removed_file, _CHANGED),
    "a renamed file": (_renamed_file, _CHANGED),
    "a link to a file outside": (_link_outside, "MLflow gives no files of models:/m-"),
    "a link to a file inside": (_link_inside, _CHANGED),
    "all files of another version": (_all_files_of_another, _CHANGED),
    "a wrong key under a trusted name": (_wrong_key, _NO_FIT),
    "an unknown key": (_unknown_key, "which is not trusted"),
    "an old signature on a newer version": (_replayed, "version 2 of 'toy_binary' does not fit"),
    "the signature of another model": (_of_another_model, _NO_FIT),
    "no signature": (_unsigned, "is not signed"),
    "evidence of another report": (_evidence_swapped, _NO_FIT),
    "the address of another model": (_uri_swapped, _NO_FIT),
    "the address and digest of another model": (_uri_and_digest_swapped, _NO_FIT),
    "the address of another model, signed": (_uri_swapped_before_signing, _CHANGED),
    "a pickle": (_pickle, "in the format 'pickle', which can run code"),
    "a cloudpickle": (_cloudpickle, "in the format 'cloudpickle', which can run code"),
    "a joblib file": (_joblib, "in the format 'joblib', which can run code"),
    "a joblib file beside the estimator": (_joblib_beside, "holds the file 'model.joblib'"),
    "keras": (_keras, "is of the flavour keras"),
    "a second flavour": (_second_flavour, "is of the flavour sklearn, xgboost"),
    "a python_model": (
        _python_model,
        r"a python_function alone \(python_model\.pkl, mlflow\.pyfunc\.model\)",
    ),
    "a python_model beside the estimator": (_python_model_beside, "python_function names python_model"),
    "code_paths": (_code_paths, "python_function names code"),
    "code of the flavour": (_code_of_the_flavour, r"brings code along \(code: 'code'\)"),
    "another loader_module": (_loader_module, "asks to be loaded by 'os'"),
    "a script of a conda environment": (_environment_script, r"the file 'etc/conda/activate\.d/run\.sh'"),
    "a type that is not trusted": (_untrusted_type, r"holds the types .*Stranger, which are not trusted"),
    "a function of the system": (_function_of_the_system, r"holds the types os\.system"),
    "a pickle in the place of the estimator": (_pickle_as_skops, "is no model in the format 'skops'"),
    "a pickle in the place of the weights": (_pickle_as_weights, "the stored weights are no tensors"),
    "a class of another package": (_class_of_another_package, "lies outside the packages"),
    "a step that runs any Python": (_any_python, r"holds the types timeit\.timeit, which are not trusted"),
    "a module that runs code": (_module_elsewhere, "elsewhere:Network lies outside the packages"),
}
_SELF_TRUSTING: dict[str, tuple[Callable[[Place], VersionRecord], str]] = {
    "a step that runs any Python": (_any_python_trusted_by_itself, r"to trust the types timeit\.timeit, "),
    "a package": (_package_trusted_by_itself, "to trust the packages elsewhere, which hold none"),
    "a class": (_class_trusted_by_itself, r"to trust the types elsewhere\.Network, which its"),
}


@pytest.fixture
def place(tmp_path: Path, local_tracking_uri: str, request: pytest.FixtureRequest) -> Place:
    return Place(tmp_path, tracking_uri=local_tracking_uri, name=request.node.name)


@pytest.mark.parametrize("planted", _PLANTED)
def test_a_planted_model_is_not_loaded(place: Place, planted: str) -> None:
    plant, words = _PLANTED[planted]
    version = plant(place)

    with pytest.raises(UntrustedModelError, match=words):
        load_version(version, tracking_uri=place.tracking_uri)
    assert not place.exploded.exists()


@pytest.mark.parametrize("planted", _SELF_TRUSTING)
def test_a_model_that_is_not_signed_yet_cannot_say_itself_what_to_trust(
    place: Place, planted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant, words = _SELF_TRUSTING[planted]
    model = plant(place)
    pipeline = torch_models.BINARY if model.model == torch_models.BINARY.name else toy_models.BINARY
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "elsewhere", raising=False)

    with pytest.raises(UntrustedModelError, match=words):
        load_model(model, tracking_uri=place.tracking_uri, trusted=TrustedCode.declared_by(pipeline)).predict(
            _ROWS.features
        )
    assert not place.exploded.exists()


def test_only_what_is_verified_or_handed_to_mlflow_is_believed() -> None:
    library = Path(mlops_core.__file__).parent
    places = (library, Path(airflow_mlops.__file__).parent)
    believing = {
        path.relative_to(library).as_posix()
        for folder in places
        for path in folder.rglob("*.py")
        if "trusted=AS_THE_FILES_SAY" in path.read_text()
    }

    # The last one is MLflow's own way to load, which verifies nothing and which no code here takes.
    assert believing == {"models/version.py", "reproduction/reproduce.py", "models/pyfunc.py"}


@pytest.mark.parametrize("stored_as", ["skops", "torch"])
def test_what_was_signed_is_loaded(place: Place, stored_as: str) -> None:
    version = place.version(stored_as=stored_as)

    check_version(version, tracking_uri=place.tracking_uri)
    assert load_version(version, tracking_uri=place.tracking_uri).digest == version.digest


@pytest.mark.parametrize(
    "planted", ["a tampered file", "an extra file", "a link to a file inside", "no signature"]
)
def test_what_would_not_be_loaded_does_not_pass_the_check_before_production(
    place: Place, planted: str
) -> None:
    plant, _ = _PLANTED[planted]
    version = plant(place)

    with pytest.raises(UntrustedModelError):
        check_version(version, tracking_uri=place.tracking_uri)


def test_a_version_in_the_cache_is_verified_each_time(place: Place, tmp_path: Path) -> None:
    version = place.version()
    load_version(version, tracking_uri=place.tracking_uri, cache=tmp_path / "cache")
    forged = version.model_copy(update={"evidence_digest": "f" * 64})

    with pytest.raises(UntrustedModelError, match=_NO_FIT):
        load_version(forged, tracking_uri=place.tracking_uri, cache=tmp_path / "cache")


def test_a_link_in_the_cache_is_replaced_by_the_files(place: Place, tmp_path: Path) -> None:
    version = place.version()
    load_version(version, tracking_uri=place.tracking_uri, cache=tmp_path / "cache")
    kept = tmp_path / "cache" / version.digest / "model.skops"
    (tmp_path / "elsewhere").write_bytes(kept.read_bytes())
    kept.unlink()
    kept.symlink_to(tmp_path / "elsewhere")

    load_version(version, tracking_uri=place.tracking_uri, cache=tmp_path / "cache")

    assert not kept.is_symlink()


def test_a_private_key_that_others_may_read_signs_nothing(
    place: Place, signing_keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tmp_path / "signing.pem"
    opened.write_bytes((signing_keys / "signing.pem").read_bytes())
    opened.chmod(0o644)
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(opened))

    with pytest.raises(SigningKeyError, match="others than its owner may use it") as refused:
        place.version()
    assert isinstance(refused.value, MlopsError)
