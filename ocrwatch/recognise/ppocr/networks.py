"""The two networks, loaded once per process, run on one thread."""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ocrwatch.errors import EngineFailed, EnvironmentFault, is_memory_error
from ocrwatch.recognise.ppocr.weights import CHINESE, NAME, weights

if TYPE_CHECKING:
    import onnxruntime

Tensor = npt.NDArray[np.float32]
Classes = npt.NDArray[np.intp]

_ERRORS_ONLY = 3

FIRST_EASTERN = 0x2E80
"""First code point of Chinese and Japanese radicals, punctuation and full-width forms (Unicode)."""


@dataclass(frozen=True, slots=True)
class Networks:
    """The detection network and the recognition network."""

    detection: onnxruntime.InferenceSession
    recognition: onnxruntime.InferenceSession
    characters: tuple[str, ...]
    """Text of each output class of the recognition: blank, the characters, a space."""


@functools.cache
def networks() -> Networks:
    """Load the networks, which takes about .2 s.

    Raises EnvironmentFault if they are missing or cannot be loaded.
    """
    found = weights()
    try:
        detection, recognition = _session(str(found.detection)), _session(str(found.recognition))
        listed = recognition.get_modelmeta().custom_metadata_map["character"]
    except Exception as error:
        # The runtime has some twenty error classes without a common base.
        if is_memory_error(error):
            raise MemoryError(str(error)) from error
        raise EnvironmentFault(
            f"the networks of {NAME} cannot be loaded ({error})", f"reinstall it: pip install --force-reinstall {NAME}"
        ) from error
    # Do not use splitlines: some of the characters are line separators in Unicode.
    return Networks(detection, recognition, ("", *listed.removesuffix("\n").split("\n"), " "))


@functools.cache
def alphabet(languages: tuple[str, ...], whitelist: str = "", blacklist: str = "") -> Classes:
    """Return the indices of the output classes that text may have, in ascending order.

    If ``whitelist`` is not empty, only its characters may be read; those in ``blacklist`` may not. If all ``languages``
    use the Latin alphabet, Chinese characters are excluded, since smudges are read as such. Raises EnvironmentFault.
    """
    western = not CHINESE.intersection(languages)

    def is_allowed(character: str) -> bool:
        if western and not _is_western(character):
            return False
        return (not whitelist or character in whitelist) and character not in blacklist

    # Blank and space are always allowed.
    allowed = [not character.strip() or is_allowed(character) for character in networks().characters]
    return np.flatnonzero(allowed)


def _is_western(character: str) -> bool:
    """Return whether a character is a Latin letter, or a digit or sign used with them."""
    if character.isalpha():
        return all(unicodedata.name(letter, "").startswith(("LATIN", "FEMININE", "MASCULINE")) for letter in character)
    return all(ord(each) < FIRST_EASTERN for each in character)


def run(session: onnxruntime.InferenceSession, pixels: Tensor) -> Tensor:
    """Return the output for one image of channels, rows and columns.

    Raises EngineFailed or MemoryError.
    """
    try:
        (output,) = session.run(None, {session.get_inputs()[0].name: pixels[np.newaxis]})
    except Exception as error:
        if is_memory_error(error):
            raise MemoryError(str(error)) from error
        raise EngineFailed(f"{NAME} failed on this image ({error})") from error
    result: Tensor = output[0]
    return result


def _session(path: str) -> onnxruntime.InferenceSession:
    # Imported only if it is used: most installations do not have it.
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    # Parallelism is one process per core.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The runtime keeps a memory plan for each image size, and hardly any two lines have the same width.
    options.enable_mem_pattern = False
    options.log_severity_level = _ERRORS_ONLY
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
