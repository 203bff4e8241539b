"""The words of a text in any language, as queries and items are compared by: without case, accents or punctuation."""

from __future__ import annotations

import re
import unicodedata

LONGEST_WORD = 32
"""Characters: of a longer word the rest is cut off."""
LONGEST_TEXT = 2000
"""Characters that are read of a text that is not ASCII: to put accents in order takes the square of how many stand one
behind the other."""


def split_words(text: str) -> list[str]:
    """Return the words of a text in their order, one that stands there twice twice.

    A word is a run of letters and digits; everything else separates, the underscore too. Letters are compared as
    NFKD has them, without accents, and casefolded. Of scripts without spaces each two neighbouring characters are a
    word; a character that stands alone is one too.

    >>> split_words("Ein Crème-brûlée T-Shirt, 85123A")
    ['ein', 'creme', 'brulee', 't', 'shirt', '85123a']
    >>> split_words("東京都 teapot")
    ['東京', '京都', 'teapot']
    """
    if text.isascii():
        found = _OF_ASCII.findall(text.lower())
        return found if len(text) <= LONGEST_WORD else [word[:LONGEST_WORD] for word in found]
    bare = _LEFT_OUT.sub("", unicodedata.normalize("NFKD", text[:LONGEST_TEXT]))
    folded = unicodedata.normalize("NFC", bare).casefold()  # NFC: syllables of Hangul and kana are whole again
    found = []
    for word, run in _OF_ANY.findall(folded):
        if word or len(run) == 1:
            found.append(word[:LONGEST_WORD] or run)
        else:
            found.extend(run[start : start + 2] for start in range(len(run) - 1))
    return found


_ACCENTS = (
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"  # of Latin, Greek and Cyrillic letters
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"  # Hebrew and Arabic vowels
)
_JOINERS = "\u00ad\u200b-\u200d\u2060\ufeff"
"""Soft hyphen, zero-width space and the like, which stand within words and are not seen."""
_SPACELESS = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf"  # Thai, Lao
    "\u1000-\u103f\u1050-\u109d\u1780-\u17d3\u17d7\u17dc\u17dd"  # Myanmar, Khmer
    "\u3005-\u3007\u3041-\u3096\u3099\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_is_spaceless = re.compile(f"[{_SPACELESS}]").match
_MARKS = "".join(
    char for char in map(chr, range(0x300, 0x3100)) if unicodedata.category(char)[0] == "M" and not _is_spaceless(char)
)
r"""Parts of words in many scripts of India and others, which ``\w`` leaves out."""

_LEFT_OUT = re.compile(f"[{_ACCENTS}{_JOINERS}]+")
_OF_ASCII = re.compile("[a-z0-9]+")
_OF_ANY = re.compile(rf"((?:[^\W_{_SPACELESS}]|[{_MARKS}])+)|([{_SPACELESS}]+)")
