"""The words of a text: what people type and what owners write come to the same."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_rec.words import LONGEST_WORD, split_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" -_!\n", []),
        ("White T-Shirt, white", ["white", "t", "shirt", "white"]),
        ("85123A", ["85123a"]),
        ("snake_case _é_e", ["snake", "case", "e", "e"]),
        ("men's shirts", ["men", "s", "shirts"]),
        ("Crème BRÛLÉE", ["creme", "brulee"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("İstanbul ﬁne x²", ["istanbul", "fine", "x2"]),
        ("Привет Ёлка", ["привет", "елка"]),
        ("Ελλάδα", ["ελλαδα"]),
        ("שָׁלוֹם", ["שלום"]),
        ("한국어 책", ["한국어", "책"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("東京都", ["東京", "京都"]),
        ("犬 Tシャツ iPhone用ケース", ["犬", "t", "シャ", "ャツ", "iphone", "用ケ", "ケー", "ース"]),
        ("ｶﾞﾗｽ・茶", ["ガラ", "ラス", "茶"]),
        ("กรุงเทพ", ["กร", "รุ", "ุง", "งเ", "เท", "ทพ"]),
        ("soft\u00adware 100\u200b%", ["software", "100"]),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]):
    """Without case, accents, marks that are not seen; scripts without spaces by pairs of characters."""
    assert split_words(text) == expected


@pytest.mark.parametrize("letter", ["a", "é", "я"])
def test_a_word_is_cut(letter: str):
    """So that one word costs no more than others, whatever its letters are."""
    words = split_words(f"{100 * letter} {(LONGEST_WORD + 1) * letter} b")

    assert [len(word) for word in words] == [LONGEST_WORD, LONGEST_WORD, 1]


@given(text=st.text())
def test_any_text_has_words(text: str):
    """None of them empty, longer than may be, or in capitals; ASCII is read as any other text is."""
    words = split_words(text)

    assert all(0 < len(word) <= LONGEST_WORD and word == word.casefold() for word in words)
    assert split_words(f"{text} é") == [*words, "e"]


@given(text=st.text(st.characters(max_codepoint=127)))
def test_ascii_is_read_like_all_else(text: str):
    """What takes the short way has the words that it would have on the long one."""
    assert [*split_words(text), "e"] == split_words(f"{text} é")


@given(text=st.text())
def test_case_makes_no_difference(text: str):
    """Of letters whose capitals come back to them, as all that people search with."""
    plain = "".join(char for char in text if char.upper().casefold() == char.casefold())

    assert split_words(plain.upper()) == split_words(plain)


def test_it_needs_no_numpy():
    """What runs before numpy may be loaded can split words."""
    code = "import sys; import stream_rec.words; sys.exit('numpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
