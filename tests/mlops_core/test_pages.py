import base64

import pytest

from mlops_core.pages import Badge, Facts, Image, Preformatted, Section, Table, Text, page

HOSTILE = "<script>alert('x')</script>\"&"


def test_every_place_of_a_page_escapes_what_it_shows() -> None:
    blocks = [
        Table(header=[HOSTILE], rows=[[HOSTILE], [Badge("fail", HOSTILE)]], caption=HOSTILE),
        Facts(items=[(HOSTILE, HOSTILE)]),
        Text(HOSTILE),
        Preformatted(HOSTILE),
        Image(content=b"x", media_type="image/png", alternative=HOSTILE),
    ]

    html = page(
        HOSTILE,
        subtitle=HOSTILE,
        badge=Badge("warn", HOSTILE),
        sections=[Section(HOSTILE, blocks, badge=Badge("none", HOSTILE))],
    )

    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#34;&amp;") == 15


def test_a_page_needs_nothing_from_the_network_and_forbids_scripts() -> None:
    html = page("Title", sections=[Section("One", [Text("words")])])

    assert "default-src 'none'" in html
    assert "http://" not in html
    assert "https://" not in html
    assert html.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "<td>\N{EN DASH}</td>"),
        (True, "<td>yes</td>"),
        (27004, '<td class="number">27,004</td>'),
        (0.123456, '<td class="number">0.1235</td>'),
        (1440.0, '<td class="number">1,440</td>'),
        (float("nan"), '<td class="number">nan</td>'),
        (float("inf"), '<td class="number">inf</td>'),
        (Badge("pass", "passed"), '<td><span class="badge pass">passed</span></td>'),
    ],
)
def test_a_cell_shows_its_value_readably(value: object, shown: str) -> None:
    html = page("Title", sections=[Section("One", [Table(header=["a"], rows=[[value]])])])

    assert shown in html


def test_a_table_without_rows_says_so() -> None:
    html = page("Title", sections=[Section("One", [Table(header=["a", "b"], rows=[])])])

    assert '<td colspan="2">nothing to show</td>' in html


def test_an_image_is_embedded() -> None:
    image = Image(content=b"\x89PNG", media_type="image/png", alternative="curve")

    html = page("Title", sections=[Section("One", [image])])

    encoded = base64.b64encode(b"\x89PNG").decode()
    assert f'<img src="data:image/png;base64,{encoded}" alt="curve">' in html
