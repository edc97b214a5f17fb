"""Batch predictions by a model from a real MLflow server."""

from typing import Any

import numpy as np
import pytest

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import UntrustedModelError
from mlops_core.models.stored import log_model
from mlops_core.registry.records import VersionRecord
from mlops_core.scoring.batch import ScoredPartition, score_partition
from mlops_core.tracking import adopt_or_create_run, tracking_client
from servers import MlflowServer
from signing_keys import signed


@pytest.mark.integration
def test_a_stored_model_is_verified_and_scores_as_it_did_before_it_was_stored(
    store: SnapshotStore, examples: Any, mlflow_server: MlflowServer
) -> None:
    published = store.write_partition("flights", "2013-07", examples.rows())
    client = tracking_client(mlflow_server.uri)
    run_id = adopt_or_create_run(
        client, experiment="scoring", operation_key="scoring/1", run_name="scoring", tags={}
    )
    model = examples.model()
    record = log_model(
        client,
        run_id=run_id,
        estimator=model.estimator,
        pipeline=examples.pipeline(),
        input_example=model.input_example,
    )
    version = signed(
        VersionRecord(model="flights", version=1, digest=record.digest, uri=record.uri, run_id=record.run_id)
    )

    def score(version: VersionRecord) -> ScoredPartition:
        return score_partition(
            examples.pipeline(),
            published=published,
            version=version,
            store=store,
            tracking_uri=mlflow_server.uri,
        )

    predictions = score(version).predictions

    scores = store.read(predictions.snapshot)["score"].to_numpy()
    np.testing.assert_array_equal(scores, model.predict(examples.rows().to_pandas()).scores)
    with pytest.raises(UntrustedModelError, match="does not fit its signature"):
        score(version.model_copy(update={"digest": "f" * 64}))
    with pytest.raises(UntrustedModelError, match="is not signed"):
        score(version.model_copy(update={"signature": None}))
