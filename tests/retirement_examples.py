"""Versions of the toy model with stored files, evidence and signatures, that may be retired."""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from card_examples import declared, examined_report
from lineage_examples import Records
from mlops_core.evaluation.evidence import log_evidence
from mlops_core.evaluation.report import ChampionEvaluation, EvaluationReport
from mlops_core.models.directory import model_digest
from mlops_core.models.record import ModelRecord
from mlops_core.pipeline import Pipeline
from mlops_core.policies import RetentionPolicy
from mlops_core.registry.mlflow_versions import search_versions
from mlops_core.registry.records import Retirement, VersionRecord
from mlops_core.reports import ReportStore
from mlops_core.retirement.retire import retire
from registry_examples import Clock, version_record
from signing_keys import signed

FEW = RetentionPolicy(versions=1, days=30)


class Estate(NamedTuple):
    """One model and everything that retiring a version of it touches."""

    records: Records
    uri: str
    reports: ReportStore
    folder: Path
    clock: Clock

    @property
    def model(self) -> str:
        return self.records.model

    @property
    def pipeline(self) -> Pipeline:
        return declared(self.model, retention=FEW)

    def version(self, number: int, *, against: int | None = None) -> VersionRecord:
        """Store, judge and register a version; ``against`` is the champion that its evidence names."""
        for key in ("2013-01", "2013-02"):
            self.records.publish(key)
        job = self.records.job(training=("2013-01",), holdout=("2013-02",), key=f"run/{number}")
        stored = self._store(number, run_id=self.records.run(job))
        champion = self._champion(against)
        report = examined_report(
            self.model,
            stored=stored,
            snapshot=job.snapshot,
            seed=number,
            others=(),
            champion=champion,
            differences=(),
        )
        log_evidence(self.records.client, report, page="<p>evidence</p>")
        record = signed(self._record(number, stored=stored, report=report))
        # The store behind a test has no server that could look for the model's files.
        if not self.registered():
            self.records.client.create_registered_model(self.model)
        self.records.client.create_model_version(self.model, source="/nowhere")
        return self.records.ledger.record_version(
            record, operation_key=f"{self.model}/register/{number}", actor="train"
        )

    def retire(self, number: int, **changes: Any) -> Retirement:
        arguments: dict[str, Any] = {
            "pipeline": self.pipeline,
            "ledger": self.records.ledger,
            "tracking_uri": self.uri,
            "reports": self.reports,
            "archive_path": str(self.folder),
            "actor": "ada",
            "reason": "nobody needs it",
            "operation_key": f"{self.model}/retire/{number}",
            "clock": self.clock,
        }
        return retire(self.model, number, **{**arguments, **changes})

    def registered(self) -> list[int]:
        """Return the versions that MLflow has."""
        return list(search_versions(self.records.client, self.model))

    def archives(self) -> list[str]:
        return sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.tar.gz"))

    def _store(self, number: int, *, run_id: str) -> ModelRecord:
        """Log a model of two small files. Nobody loads it."""
        client = self.records.client
        experiment_id = client.get_run(run_id).info.experiment_id
        logged = client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "MLmodel").write_text(f"number: {number}\n")
            (Path(folder) / "weights").mkdir()
            (Path(folder) / "weights" / "model.skops").write_bytes(bytes([number]) * 100)
            digest = model_digest(Path(folder))
            client.log_model_artifacts(logged.model_id, folder)
        client.finalize_logged_model(logged.model_id, "READY")
        uri = f"models:/{logged.model_id}"
        return ModelRecord(run_id=run_id, model_id=logged.model_id, uri=uri, digest=digest)

    def _champion(self, number: int | None) -> ChampionEvaluation | None:
        if number is None:
            return None
        record = next(one for one in self.records.ledger.versions(self.model) if one.version == number)
        model = ModelRecord(
            run_id=record.run_id, model_id=record.uri.rpartition("/")[2], uri=record.uri, digest=record.digest
        )
        return ChampionEvaluation(version=number, model=model, rows_digest="rows", scores=())

    def _record(self, number: int, *, stored: ModelRecord, report: EvaluationReport) -> VersionRecord:
        return version_record(
            number,
            model=self.model,
            digest=stored.digest,
            uri=stored.uri,
            run_id=stored.run_id,
            evidence_digest=report.digest(),
        )
