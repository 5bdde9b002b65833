"""One file a corpus: its own layout -> Kaldi data directories; folds."""
