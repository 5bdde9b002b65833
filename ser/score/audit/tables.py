"""The audit for people: tables for the terminal, for ``audit.md`` and for the report."""

from collections.abc import Mapping
from typing import Any

from ser.corpus.same_audio import BAND_HZ, ENVELOPES, SAMPLES
from ser.score.report.document import ReportSection, Rows, upright

BASELINES = {
    "constant": "one class for all, the most frequent of the test",
    "majority": "always the most frequent class of training",
    "scene": "the scene alone: its most frequent class in training",
    "words": "the words alone: TF-IDF of words and word pairs, logistic regression",
}
OVERLAPS = {
    "speaker": "speaker",
    "session": "session",
    "dialogue": "dialogue",
    "scene": "scene",
    "line": "same words",
    "near line": "nearly the same words",
    "audio": "same audio",
}
SAME_AUDIO = (
    "Same audio: lengths agree within 0.15 s, and at the best shift the levels correlate by "
    f"{ENVELOPES}, the samples from {BAND_HZ[0]} to {BAND_HZ[1]} Hz by {SAMPLES}, at whatever "
    "name, container, rate and level; copies that were trimmed, mixed or sped up are not seen."
)


def audit_sections(audited: Mapping[str, Any]) -> list[ReportSection]:
    """What leaks and what it is worth."""
    missing = ", ".join(audited["missing"])
    left_out = f" The corpus does not tell: {missing}; these rows are left out." if missing else ""
    folds = list(audited["folds"].values())
    leaks = any(fold["overlaps"]["speaker"]["num_utts"] for fold in folds)
    verdict = (
        "**Speaker-dependent**: test speakers are heard in training, so these folds say nothing of "
        "new speakers."
        if leaks
        else "No test speaker is heard in training or validation."
    )
    again = sum(f["overlaps"].get("audio", {"num_utts": 0})["num_utts"] for f in folds)
    if again and not leaks:
        verdict = (
            f"No test speaker is heard in training or validation **by name, but {again} test "
            "recordings are**: the same audio stands there under another speaker."
        )
    return [
        ReportSection(
            "Audit: what the folds leak",
            2,
            f"{verdict} Test utterances whose speaker, scene, words ... occur in training or "
            f"validation of their fold; near: 90 % of the characters agree. {SAME_AUDIO}{left_out}",
            _overlap_table(audited),
        ),
        ReportSection(
            "Audit: without listening",
            2,
            "No audio, the same folds, pooled. A system must be judged against these.",
            baseline_table(audited),
        ),
        ReportSection(
            "Audit: classes", 2, "Utterances, training and validation / test.", _priors(audited)
        ),
    ]


def baseline_table(audited: Mapping[str, Any]) -> Rows:
    """WA and UA of the no-audio baselines."""
    return [
        ["what is known", "WA %", "UA %"],
        *(
            [BASELINES[name], f"{100 * row['wa']:.2f}", f"{100 * row['ua']:.2f}"]
            for name, row in audited["baselines"].items()
        ),
    ]


def _overlap_table(audited: Mapping[str, Any]) -> Rows:
    folds: Mapping[str, Any] = audited["folds"]
    names = [name for name in OVERLAPS if all(name in fold["overlaps"] for fold in folds.values())]
    rows = [["fold", "test", *(OVERLAPS[name] for name in names)]]
    for fold, values in folds.items():
        cells = [str(values["overlaps"][name]["num_utts"]) for name in names]
        rows.append([fold, str(values["num_test"]), *cells])
    total = sum(values["num_test"] for values in folds.values())
    shares = [
        f"{100 * sum(f['overlaps'][n]['num_utts'] for f in folds.values()) / total:.1f} %"
        for n in names
    ]
    return [*rows, ["all", str(total), *shares]]


def _priors(audited: Mapping[str, Any]) -> Rows:
    folds: Mapping[str, Any] = audited["folds"]
    labels = sorted({label for f in folds.values() for label in f["priors"]["heard"]})
    rows = [["fold", *labels]]
    for name, fold in folds.items():
        trained, test = fold["priors"]["heard"], fold["priors"]["test"]
        rows.append(
            [
                f"fold {name}",
                *(f"{trained.get(label, 0)} / {test.get(label, 0)}" for label in labels),
            ]
        )
    return upright(rows, "class")
