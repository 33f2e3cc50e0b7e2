"""From a text to the numbers ("ids") that a model looks up: the reference for the Rust twin.

A model carries its settings in the metadata `weir.features`, for example:

    {"kind": "hashed_ngrams", "version": 1, "buckets": 65536, "word_ngrams": [1, 2],
     "char_ngrams": [3, 5], "binary": true, "max_features": 4096}

`char_ngrams` may be null. `python3 features.py 'some text'` prints the ids for these settings.
"""

import functools
import re
import sys

# A word is a run of ASCII letters, digits, apostrophes and bytes >= 0x80, so an accented letter or
# an emoji is never cut. Any other visible byte is a token of its own. The rest only separates.
TOKEN = re.compile(rb"[a-z0-9'\x80-\xff]+|[\x21-\x7e]")
WORD = re.compile(rb"[a-z0-9'\x80-\xff]")

# The settings above.
EXAMPLE = {
    "kind": "hashed_ngrams",
    "version": 1,
    "buckets": 65536,
    "word_ngrams": [1, 2],
    "char_ngrams": [3, 5],
    "binary": True,
    "max_features": 4096,
}


@functools.lru_cache(maxsize=None)
def fnv1a_32(data):
    """The 32-bit FNV-1a hash of bytes."""
    value = 0x811C9DC5
    for byte in data:
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def tokens(text):
    """The tokens of a text, in order, as bytes. Only ASCII letters are lowercased."""
    return TOKEN.findall(text.encode("utf-8").lower())


def windows(items, sizes):
    """Every window of `sizes[0]` to `sizes[1]` neighbours: all of one size, then the next size."""
    for size in range(sizes[0], sizes[1] + 1):
        for start in range(len(items) - size + 1):
            yield items[start : start + size]


def features(text, settings):
    """The features of a text as bytes, in order: words first ("w"), then parts of words ("c")."""
    found = tokens(text)
    for window in windows(found, settings["word_ngrams"]):
        yield b"w" + b" ".join(window)
    if settings["char_ngrams"] is None:
        return
    words = ["<" + token.decode("utf-8") + ">" for token in found if WORD.match(token)]
    low, high = settings["char_ngrams"]
    for size in range(low, high + 1):
        for word in words:
            for window in windows(word, [size, size]):
                yield b"c" + window.encode("utf-8")


def feature_ids(text, settings):
    """The ids of a text: from 1 to buckets - 1. A text without any feature has the ids [0]."""
    ids = [1 + fnv1a_32(it) % (settings["buckets"] - 1) for it in features(text, settings)]
    if settings["binary"]:
        ids = list(dict.fromkeys(ids))  # the first of each, in order
    return ids[: settings["max_features"]] or [0]


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(",".join(map(str, feature_ids(argument, EXAMPLE))))
