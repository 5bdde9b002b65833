"""Word error rate."""

from collections.abc import Sequence

import jiwer


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float | None:
    """(Substitutions + deletions + insertions) / reference words, over all utterances together.

    Utterances without reference words are left out: insertions into silence would have no
    denominator of their own.

    Returns:
        The rate (may exceed 1), or None where no reference has a word.
    """
    pairs = [(r, h) for r, h in zip(references, hypotheses, strict=True) if r.strip()]
    if not pairs:
        return None
    return float(jiwer.wer([r for r, _ in pairs], [h for _, h in pairs]))
