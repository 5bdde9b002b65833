"""Stage 0: what the folds leak from training into the test, and what that alone is worth."""

import argparse
from pathlib import Path

from ser.base.errors import run_program
from ser.base.files import with_digest
from ser.base.writing import write_json, write_text
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.corpus.fold_files import fold_names, read_fold, require_folds
from ser.corpus.speaker_leak import require_speakers_apart
from ser.kaldi.data_dir import read_data_dir
from ser.score.audit.overlaps import audit
from ser.score.audit.tables import audit_sections
from ser.score.report.document import markdown, plain_table


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="data/ser")
    parser.add_argument("exp_dir", type=Path, help="has folds/; gets audit.json and audit.md")
    parser.add_argument("--protocol", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Audits, prints, writes; fails where a speaker leaks and the protocol does not say so."""
    args = parse_args()
    protocol = load_config(args.protocol, ProtocolConfig)
    folds = args.exp_dir / "folds"
    record = require_folds(folds, protocol, args.protocol)
    data = read_data_dir(args.data)
    parts = {name: read_fold(folds, name) for name in fold_names(folds)}
    audited = audit(data, parts)
    audited["fold_digest"] = record["notes"]["digest"]
    sections = audit_sections(audited)
    for section in sections:
        print(f"{section.title}. {section.text}".replace("**", ""))
        if section.table:
            print(plain_table(section.table), end="\n\n")
    for name, part_of in parts.items():
        require_speakers_apart(data, name, part_of, protocol)
    write_json(args.exp_dir / "audit.json", with_digest(audited))
    write_text(args.exp_dir / "audit.md", markdown(sections))


if __name__ == "__main__":
    run_program(main)
