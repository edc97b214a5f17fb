"""Puts a card where people look: beside the model's run, in the report store, and in MLflow's description."""

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from mlops_core import pages
from mlops_core.cards.documents import ModelCard
from mlops_core.cards.markdown import escape, markdown
from mlops_core.cards.places import CARD_FILES, CARD_KIND, PAGE_NAME, card_folder, card_key
from mlops_core.cards.render import badge_of, sections_of, subtitle_of, title_of
from mlops_core.reports import ReportStore
from mlops_core.tracking import is_absent, registry_errors

_LONGEST_PARAGRAPH = 1000


def write_card(card: ModelCard, *, client: MlflowClient, reports: ReportStore) -> str:
    """Write a card, replacing the version's former one.

    It goes to the run under ``card/v<version>/`` and to the report store, as JSON, as Markdown and as
    a page. The version's description in MLflow becomes the card's first paragraph and where the card is. A
    repeated call writes the same again.

    Returns
    -------
    The page's path relative to the report store.

    Raises
    ------
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    contents = dict(zip(CARD_FILES, _contents(card), strict=True))
    run_id = card.training.run_id
    for name, content in contents.items():
        with registry_errors(f"write {name} of run {run_id}"):
            client.log_text(run_id, content, f"{card_folder(card.version)}/{name}")
    stored = {
        name: reports.write(
            pipeline=card.model, kind=CARD_KIND, key=card_key(card.version), name=name, content=content
        )
        for name, content in contents.items()
    }
    _describe(card, client=client)
    return stored[PAGE_NAME]


def _contents(card: ModelCard) -> tuple[str, str, str]:
    title, subtitle, badge = title_of(card), subtitle_of(card), badge_of(card)
    sections = sections_of(card)
    return (
        card.model_dump_json(indent=2),
        markdown(title, subtitle=subtitle, badge=badge, sections=sections),
        pages.page(title, subtitle=subtitle, badge=badge, sections=sections),
    )


def _describe(card: ModelCard, *, client: MlflowClient) -> None:
    """Set the description, which MLflow shows as Markdown."""
    said = card.description or card.declared.intended_use or f"{title_of(card)}."
    paragraph = escape(said.strip().partition("\n\n")[0])[:_LONGEST_PARAGRAPH]
    where = f"Model card: `{card_folder(card.version)}/card.md` in run `{card.training.run_id}`."
    with registry_errors(f"describe version {card.version} of {card.model!r}"):
        try:
            client.update_model_version(card.model, str(card.version), f"{paragraph}\n\n{where}")
        except MlflowException as error:
            # A version that was deleted needs no description; its card stays with its run.
            if not is_absent(error):
                raise
