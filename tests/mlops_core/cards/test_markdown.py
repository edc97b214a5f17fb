"""Markdown that shows what data say, and does nothing that they ask."""

import pytest
from markdown_it import MarkdownIt

from card_examples import ATTACK
from mlops_core.cards.documents import ModelCard
from mlops_core.cards.markdown import escape, markdown
from mlops_core.cards.render import badge_of, sections_of, subtitle_of, title_of
from mlops_core.pages import Badge, Facts, Preformatted, Section, Table, Text


def html(text: str) -> str:
    return MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)


def whole(card: ModelCard) -> str:
    return markdown(
        title_of(card), subtitle=subtitle_of(card), badge=badge_of(card), sections=sections_of(card)
    )


@pytest.mark.parametrize(
    "text",
    [
        ATTACK,
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](http://evil.example/x.png)",
        "a | b",
        "`code` **bold** _soft_ ~~gone~~",
        "&lt;b&gt; &amp;",
        "line\nend\r\n# heading",
        "back\\slash \\| \\[",
        "$x^2$",
        "http://evil.example www.evil.example a@evil.example",
        "\u202egnirts",
        "- item",
        "1. first",
        "=== line",
    ],
)
def test_any_text_is_shown_as_it_is_in_a_paragraph_and_in_a_table(text: str) -> None:
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    page = markdown(
        "t",
        subtitle="s",
        badge=Badge("none", "b"),
        sections=[Section("h", [Text(text), Table(header=("a", "b"), rows=[(text, 1)])])],
    )

    tokens = [
        token for token in MarkdownIt("gfm-like", {"linkify": False}).parse(page) if token.type == "inline"
    ]

    plain = ["".join(child.content for child in token.children) for token in tokens]
    assert plain[3:] == [shown.strip(), "a", "b", shown.strip(), "1"]
    kinds = {child.type for token in tokens[3:] for child in token.children}
    assert kinds <= {"text", "text_special"}


def test_the_whole_card_runs_nothing_and_links_nowhere(card: ModelCard) -> None:
    rendered = html(whole(card))

    assert "<script>" not in rendered
    assert "<a " not in rendered
    assert "<img" not in rendered
    assert "&lt;script&gt;alert(1)&lt;/script&gt;|[x](javascript:alert(1))" in rendered


def test_a_fence_inside_preformatted_text_does_not_end_it() -> None:
    page = markdown(
        "t", subtitle="s", badge=Badge("none", "b"), sections=[Section("h", [Preformatted("```\n<b>x</b>")])]
    )

    assert "&lt;b&gt;x&lt;/b&gt;" in html(page)


def test_a_table_without_rows_says_so() -> None:
    page = markdown(
        "t",
        subtitle="s",
        badge=Badge("none", "b"),
        sections=[Section("h", [Table(header=("a",), rows=[]), Facts(items=[("name", 1234)])])],
    )

    assert "Nothing to show." in page
    assert "| name | 1,234 |" in page


def test_plain_words_stay_readable() -> None:
    assert escape("2013-01 (0.61 to 0.65), 100 %") == "2013-01 (0.61 to 0.65), 100 %"
