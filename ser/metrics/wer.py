"""Word error rate."""

from collections.abc import Sequence

import jiwer


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> tuple[int, int]:
    """Errors and reference words over all utterances, so that shares of them add up.

    Utterances without reference words are left out: insertions into silence would have no
    denominator of their own.

    Returns:
        Substitutions + deletions + insertions, and the number of reference words.
    """
    pairs = [(r, h) for r, h in zip(references, hypotheses, strict=True) if r.strip()]
    if not pairs:
        return 0, 0
    found = jiwer.process_words([r for r, _ in pairs], [h for _, h in pairs])
    errors = found.substitutions + found.deletions + found.insertions
    return errors, found.hits + found.substitutions + found.deletions


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float | None:
    """Errors / reference words, over all utterances together.

    Returns:
        The rate (may exceed 1), or None where no reference has a word.
    """
    errors, words = word_errors(references, hypotheses)
    return errors / words if words else None
