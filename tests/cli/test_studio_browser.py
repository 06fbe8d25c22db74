"""The studio in a real browser: what a poet does, by mouse and by keyboard alone, wide and narrow, light and dark."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytest.importorskip("starlette", reason="needs the extra studio")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120_000  # milliseconds, for a policy that is opened on a busy machine
COUPLET = "Le soir descend sur la montagne\nLe vent murmure en la campagne"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio started as a user starts it."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "rlpoet", "studio", "--port", "0", "--runs", str(tmp_path_factory.mktemp("runs"))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env, cwd=tmp_path_factory.mktemp("here")) as process:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())
        assert found is not None
        yield found[0]
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tools:
        opened = tools.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide-light", "narrow-dark"])
def page(request: pytest.FixtureRequest, browser: Any, address: str) -> Iterator[Any]:
    """A fresh page; one that complains in its console or reaches for another host fails the test."""
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith((address, "blob:")) else wrong.append(asked.url))
    opened.goto(address)
    opened.wait_for_selector("#form option:nth-child(3)", state="attached")
    yield opened
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than its window"
    assert wrong == []
    context.close()


def margin(page: Any) -> list[str]:
    """What stands beside each line."""
    texts = (page.locator("#backdrop .row").nth(n).locator(".margin").all_inner_texts() for n in range(rows(page)))
    return ["".join(text).replace("\n", " ") for text in texts]


def rows(page: Any) -> int:
    count: int = page.locator("#backdrop .row").count()
    return count


def test_the_margin_follows_what_is_typed(page):
    page.focus("#text")
    page.keyboard.type(COUPLET)
    page.wait_for_selector("#reading li:nth-child(2)", state="attached")
    page.wait_for_selector("#about:has-text('couplet-8')")
    assert [text.split()[:2] for text in margin(page)] == [["a", "8"], ["a", "8"]]
    assert page.inner_text("#about").startswith("couplet-8 (guessed)")
    page.select_option("#form", "couplet")
    page.wait_for_selector("#backdrop .off")
    assert [text.split()[1] for text in margin(page)] == ["8≠12", "8≠12"]


def test_the_margin_stands_at_its_line_however_lines_wrap(page):
    page.fill("#text", f"{'Un vers très long qui ne finit jamais et va de tous côtés ' * 4}\n\n{COUPLET}")
    page.wait_for_selector("#reading li:nth-child(3)", state="attached")
    tops = [page.locator("#backdrop .row").nth(n).bounding_box()["y"] for n in range(rows(page))]
    height = page.locator("#backdrop .row").nth(1).bounding_box()["height"]
    assert tops == sorted(tops) and tops[1] - tops[0] > 1.5 * height
    bottom = page.locator("#backdrop .row").nth(3).bounding_box()
    box = page.locator("#text").bounding_box()
    assert abs(page.evaluate("document.getElementById('text').scrollHeight") - box["height"]) <= 1  # no line is scrolled away
    assert bottom["y"] + bottom["height"] <= box["y"] + box["height"]


def test_a_rhyme_is_found_and_put_in_by_the_keyboard_alone_and_undone(page):
    page.focus("#text")
    page.keyboard.type("Sous le ciel sombre")
    page.wait_for_selector("#words-shown button")
    assert page.input_value("#word") == "sombre"
    names = page.locator("#words-shown button").all_inner_texts()
    assert "ombre" in [name.split()[0] for name in names]
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#words-shown') !== null && document.activeElement.tagName === 'BUTTON'"):
            break
    chosen = page.evaluate("document.activeElement.firstChild.textContent")
    page.keyboard.press("Enter")
    assert page.input_value("#text") == f"Sous le ciel {chosen}"
    page.keyboard.press("Control+z")
    assert page.input_value("#text") == "Sous le ciel sombre"


def test_the_words_are_one_stop_of_the_tab_key_and_arrows_go_among_them(page):
    page.focus("#text")
    page.keyboard.type("Sous le ciel sombre")
    page.wait_for_selector("#words-said:has-text('sombre')")
    names = page.locator("#words-shown button").all_inner_texts()
    said = page.inner_text("#words-said")
    assert len(names) > 20 and said.startswith(f"{len(names)} words")
    shown = "document.activeElement.textContent"
    page.focus("#words-form button")
    page.keyboard.press("Tab")
    for key, n in (
        ("ArrowRight", 1),
        ("ArrowDown", 2),
        ("ArrowLeft", 1),
        ("End", len(names) - 1),
        ("ArrowRight", len(names) - 1),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert page.evaluate(shown) == names[n]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "complete"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(shown) == names[1]  # where the reader was


def test_a_line_too_long_is_marked_beside_its_words_and_not_over_them(page):
    page.select_option("#lang", "en")
    page.fill("#text", "The evening settles on the quiet hill,\n" * 3 + "And shadows gather by the golden garden wall;")
    page.wait_for_selector("#backdrop .off:has-text('12≠10|11')")
    mark = page.locator("#backdrop .off").bounding_box()
    start = page.evaluate("""() => {
        const words = document.querySelector("#backdrop .row:nth-child(4)").childNodes[1], range = document.createRange();
        range.selectNodeContents(words);
        return range.getClientRects()[0].left;
    }""")
    assert mark["x"] + mark["width"] <= start
    left = page.locator("#reading .verse").evaluate_all("all => [...new Set(all.map((one) => one.getBoundingClientRect().left))]")
    assert len(left) == 1  # the lines stand below one another


def test_a_line_that_is_full_is_not_completed_and_focus_is_not_lost(page):
    page.fill("#text", COUPLET)
    page.wait_for_selector("#about:has-text('couplet-8')")
    page.focus("#text")
    page.keyboard.press("Control+End")
    page.wait_for_selector("#complete:has-text('line 2')")
    page.focus("#complete")
    page.keyboard.press("Enter")
    page.wait_for_selector("#complete-said:has-text('Line 2 is full')")
    page.uncheck("#complete-begin")
    page.focus("#complete")
    page.keyboard.press("Enter")
    page.wait_for_selector("#complete-stop:visible")
    assert page.evaluate("document.activeElement.id") == "complete-stop"
    page.wait_for_selector("#complete:not([disabled])")
    assert page.evaluate("document.activeElement.id") == "complete" and page.is_hidden("#complete-stop")


def test_rooms_change_by_arrow_keys(page):
    page.focus("#tab-pad")
    for key, room in (
        ("ArrowRight", "compose"),
        ("ArrowRight", "runs"),
        ("ArrowRight", "pad"),
        ("ArrowLeft", "runs"),
        ("Home", "pad"),
        ("End", "runs"),
    ):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.id") == f"tab-{room}"
        assert [page.is_visible(f"#{name}") for name in ("pad", "compose", "runs")] == [name == room for name in ("pad", "compose", "runs")]
    page.wait_for_selector("#runs-said:has-text('No run')")


def test_what_is_typed_is_announced_and_never_markup(page):
    page.focus("#text")
    page.keyboard.type("<img src=x onerror=alert(1)> amour\n<b> un jour")
    page.wait_for_selector("#said:has-text('Line 2: rhyme a')", state="attached")
    assert page.locator("#pad img, #pad #reading b b, #backdrop img").count() == 0
    page.reload()
    page.wait_for_selector("#reading li:nth-child(2)", state="attached")  # the text is still there
    assert page.input_value("#text").startswith("<img")


def test_a_poem_is_composed_a_line_drawn_again_and_taken_to_the_pad(page):
    page.click("#tab-compose")
    page.select_option("#compose-form-name", "couplet")
    page.click("#add-author")
    page.fill("#authors .name", "hugo")
    page.click("#compose-go")
    page.wait_for_selector("#poems .card")
    page.wait_for_selector("#compose-go:not([disabled])")
    assert "keeps its form" in page.inner_text("#poems") and "Victor Hugo" in page.inner_text("#poems")
    first = page.locator("#poems .head, #poems .verse").all_inner_texts()
    page.click("#poems .again >> nth=1")
    page.wait_for_selector("#compose-said:has-text('again'), #compose-said:has-text('No other line')")
    second = page.locator("#poems .head, #poems .verse").all_inner_texts()
    assert second[0] == first[0]
    if "drawn again" in page.inner_text("#compose-said"):
        assert second[1] != first[1]
    page.click("text=Open in the pad")
    page.wait_for_selector("#reading li:nth-child(2)", state="attached")
    assert [text.split()[:2] for text in margin(page)] == [["a", "12"], ["a", "12"]]
    page.focus("#text")
    page.keyboard.press("Control+End")
    page.uncheck("#complete-begin")
    page.click("#complete")
    page.wait_for_selector("#complete:not([disabled])")
    assert "line 2" in page.inner_text("#complete-said") or "No line" in page.inner_text("#complete-said")


def test_a_copy_is_what_the_format_asks_for(page):
    page.fill("#text", COUPLET)
    page.wait_for_selector("#reading li:nth-child(2)", state="attached")
    page.click("text=Copy the poem")
    page.select_option("#export-format", "latex")
    page.click("#export-copy")
    page.wait_for_selector("#export-shown:not([hidden])")
    assert "Le soir descend sur la montagne\\\\\nLe vent" in page.input_value("#export-shown")
    with page.expect_download() as download:
        page.click("#export-save")
    assert download.value.suggested_filename == "poem.tex"
