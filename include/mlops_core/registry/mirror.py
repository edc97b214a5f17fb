"""MLflow's aliases as a mirror of the ledger, and its healing.

Whoever knows only MLflow finds what is in production under ``champion`` and what was registered last under
``challenger``. Nothing in the library reads these aliases.
"""

import logging
from collections.abc import Collection, Sequence
from typing import Literal

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from mlops_core.document import Document
from mlops_core.errors import RegistryMismatchError
from mlops_core.registry.aliases import aim_of
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mlflow_versions import search_versions
from mlops_core.registry.records import Aliases, VersionRecord
from mlops_core.tracking import OPERATION_KEY_TAG, is_absent, registry_errors

_log = logging.getLogger(__name__)

Alias = Literal["champion", "challenger"]
_ALIASES: tuple[Alias, ...] = ("champion", "challenger")


class AliasChange(Document):
    """One alias that was made what the ledger says.

    ``by_hand`` is True when the mirror was confirmed after the ledger's last move, so that somebody else must
    have changed the alias since. Otherwise the ledger had moved and the mirror had yet to follow.
    """

    model: str
    alias: Alias
    found: int | None
    expected: int | None
    by_hand: bool


class UnknownVersion(Document):
    """A version in MLflow that the ledger does not know: made by hand, or by a registration under way."""

    model: str
    version: int
    source: str
    operation_key: str | None


class ReconcileReport(Document):
    """What differed between MLflow and the ledger. Changes were healed; the rest is only reported.

    ``missing_versions`` are in the ledger, are not retired, and yet were deleted from MLflow; their aliases
    cannot be set.
    """

    models: tuple[str, ...]
    changes: tuple[AliasChange, ...] = ()
    unknown_versions: tuple[UnknownVersion, ...] = ()
    missing_versions: tuple[VersionRecord, ...] = ()

    @property
    def agreed(self) -> bool:
        """Whether nothing differed."""
        return not (self.changes or self.unknown_versions or self.missing_versions)


def mirror_aliases(model: str, *, ledger: Ledger, client: MlflowClient) -> tuple[AliasChange, ...]:
    """Make MLflow's aliases what the ledger says.

    Returns
    -------
    What had to be changed; nothing if the mirror was right.

    Raises
    ------
    RegistryMismatchError
        If a version that must bear an alias was deleted from MLflow.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer; a retry completes the work.
    """
    return _mirror(model, ledger=ledger, client=client, absent=())


def reconcile(
    *, ledger: Ledger, client: MlflowClient, models: Sequence[str] | None = None
) -> ReconcileReport:
    """Compare MLflow with the ledger, heal the aliases, and report every difference.

    Parameters
    ----------
    models
        All models of the ledger if None.
    """
    names = tuple(ledger.models() if models is None else models)
    changes: list[AliasChange] = []
    unknown: list[UnknownVersion] = []
    missing: list[VersionRecord] = []
    for model in names:
        before = ledger.versions(model)
        found = search_versions(client, model)
        # Asked again, since a version that was registered in between is no stranger.
        known = {record.version for record in ledger.versions(model)}
        unknown += [
            UnknownVersion(
                model=model,
                version=number,
                source=version.source,
                operation_key=version.tags.get(OPERATION_KEY_TAG),
            )
            for number, version in found.items()
            if number not in known
        ]
        # Whoever retires a version deletes it from MLflow.
        retired = {retirement.version for retirement in ledger.retirements(model)}
        absent = [record for record in before if record.version not in found.keys() | retired]
        missing += absent
        changes += _mirror(model, ledger=ledger, client=client, absent={record.version for record in absent})
    return ReconcileReport(
        models=names,
        changes=tuple(changes),
        unknown_versions=tuple(unknown),
        missing_versions=tuple(missing),
    )


def _mirror(
    model: str, *, ledger: Ledger, client: MlflowClient, absent: Collection[int]
) -> tuple[AliasChange, ...]:
    changes: list[AliasChange] = []
    while True:
        # Of one state: what a promotion has just changed must not pass for somebody's doing in MLflow.
        with ledger.reading() as session:
            aim, mirrored = aim_of(session, model)
        shown = aliases_shown(client, model)
        differing = [
            alias
            for alias in _ALIASES
            if getattr(aim, alias) != getattr(shown, alias) and getattr(aim, alias) not in absent
        ]
        for alias in differing:
            found, expected = getattr(shown, alias), getattr(aim, alias)
            _set_alias(client, model, alias, version=expected)
            changes.append(
                AliasChange(model=model, alias=alias, found=found, expected=expected, by_hand=mirrored)
            )
            _log.info("Alias %s of %s: found %s, set %s", alias, model, found, expected)
        unfinished = {aim.champion, aim.challenger} & set(absent)
        if unfinished or (mirrored and not differing):
            return tuple(changes)
        # Another transition may have come, and been mirrored, while this one was: then follow that one.
        if ledger.confirm_mirror(model, shown=aim):
            return tuple(changes)


def aliases_shown(client: MlflowClient, model: str) -> Aliases:
    """Return the aliases that MLflow shows.

    Raises
    ------
    RegistryUnavailableError
        If MLflow does not answer.
    """
    with registry_errors(f"read the aliases of {model!r}"):
        try:
            aliases = client.get_registered_model(model).aliases
        except MlflowException as error:
            if not is_absent(error):
                raise
            aliases = {}
    return Aliases(**{alias: int(aliases[alias]) if alias in aliases else None for alias in _ALIASES})


def _set_alias(client: MlflowClient, model: str, alias: Alias, *, version: int | None) -> None:
    with registry_errors(f"set the alias {alias!r} of {model!r}"):
        if version is None:
            client.delete_registered_model_alias(model, alias)
            return
        try:
            client.set_registered_model_alias(model, alias, str(version))
        except MlflowException as error:
            if not is_absent(error):
                raise
            raise RegistryMismatchError(
                f"MLflow has no version {version} of {model!r}, which the ledger names as {alias}: "
                "it was deleted by hand. Promote another version"
            ) from error
