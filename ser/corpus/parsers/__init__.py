"""One file a corpus: its published layout -> its utterances."""
