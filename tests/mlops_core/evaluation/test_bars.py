import re
import xml.etree.ElementTree as ET

from mlops_core.evaluation.bars import Bar, bar_chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*bars: Bar, sign: str = "") -> ET.Element:
    return ET.fromstring(bar_chart(bars, sign=sign))  # noqa: S314  drawn here


def test_bars_are_as_long_as_their_numbers() -> None:
    chart = drawn(Bar(name="hour", value=0.4), Bar(name="origin", value=0.1))

    long, short = (float(bar.attrib["width"]) for bar in chart.iter(f"{SVG}rect"))
    assert long == 4 * short
    assert [text.text for text in chart.iter(f"{SVG}text")] == ["hour", "0.4000", "origin", "0.1000"]


def test_negative_bars_go_left_of_zero_in_another_colour_and_show_their_sign() -> None:
    chart = drawn(Bar(name="a", value=0.2), Bar(name="b", value=-0.2), sign="+")

    right, left = chart.iter(f"{SVG}rect")
    assert float(left.attrib["x"]) + float(left.attrib["width"]) == float(right.attrib["x"])
    assert left.attrib["fill"] != right.attrib["fill"]
    assert [text.text for text in chart.iter(f"{SVG}text")][1::2] == ["+0.2000", "-0.2000"]


def test_a_mark_stands_where_its_number_is_even_beyond_the_bar() -> None:
    chart = drawn(Bar(name="a", value=0.1, mark=0.2), Bar(name="b", value=0.2))

    stroke = next(path for path in chart.iter(f"{SVG}path") if "stroke-width" in path.attrib)
    longest = list(chart.iter(f"{SVG}rect"))[1]
    end = float(longest.attrib["x"]) + float(longest.attrib["width"])
    assert float(re.match(r"M([\d.]+) ", stroke.attrib["d"])[1]) == end


def test_any_text_is_escaped_shortened_and_free_of_control_characters() -> None:
    chart = drawn(Bar(name='</text><script>alert("x")</script>\0\x1b' + "y" * 100, value=1.0))

    name = next(chart.iter(f"{SVG}text")).text
    assert name.startswith('</text><script>alert("x")</script>')
    assert name.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert len(name) == 36
    assert not list(chart.iter(f"{SVG}script"))
    assert "\N{REPLACEMENT CHARACTER}" in bar_chart([Bar(name="a\0b", value=1.0)]).decode()


def test_no_bars_and_bars_of_zero_are_drawn() -> None:
    assert not list(drawn().iter(f"{SVG}rect"))
    assert len(list(drawn(Bar(name="a", value=0.0)).iter(f"{SVG}rect"))) == 1
