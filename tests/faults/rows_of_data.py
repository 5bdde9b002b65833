"""Faults in what stages 0 to 2 read and write, and in what they wrote for later ones."""

from errno import EACCES

from damage import audio, cut, failing, gone, held, holds, key, replaced
from experiment import SYSTEM
from row import BPE, CHAPTER, CSV, PAPER, WAV, Row, damaged, foreign, full, misspelt, word

OF_STAGES = [
    *damaged("folds", "data/ser", "wav.scp utt2emo utt2session", "table", 0),
    *damaged("bpe", "data/asr_train", "text spk2utt", "read", 0),
    *damaged("audit", "exp/folds", "fold1 fold3", "folds", 0),
    *damaged("feats", "data/ser", "utt2emo", "table", 0),
    *damaged("fold1", "dump/fbank/ser", "feats.ark feats.scp text", "feats", 1),
    *damaged("pretrain", "dump/fbank/asr_train", "feats.ark utt2num_frames", "feats", 1),
    *damaged("fold1", "exp/bpe", "bpe.model", "bpe", 2),
    *damaged("fold1", "exp/pretrain/ctc", "model.safetensors", "pretrain", 3),
    *damaged("predict", "dump/fbank/ser", "utt2emo", "feats", 1),
    *damaged("predict", "exp/pretrain/ctc", "model.safetensors", "pretrain", 3),
    *damaged("score", "exp/predictions", f"{SYSTEM}/seed1_fold2.tsv attributes.tsv", "predict", 5),
]
READ = [
    Row("read", "running twice", held("data/asr_train"), "another run is writing here"),
    Row("read", "no LibriSpeech", gone("corpus/LibriSpeech"), "LibriSpeech: no such folder"),
    Row(
        "read", "no subset", gone("corpus/LibriSpeech/train-clean-5"), "holds none of train-clean-5"
    ),
    Row(
        "read",
        "no audio",
        gone(f"{CHAPTER}/1-1-0003.flac"),
        "1-1-0003 has a transcript and no audio",
    ),
    Row(
        "read", "no transcripts", gone(f"{CHAPTER}/1-1.trans.txt"), r"1-1\.trans\.txt: no such file"
    ),
    Row(
        "read",
        "transcripts cut",
        cut(f"{CHAPTER}/1-1.trans.txt", 20),
        "'1-1' is double or not of this chapter",
    ),
    Row(
        "read",
        "no UTF-8",
        holds(f"{CHAPTER}/1-1.trans.txt", b"1-1-0000 \xff\n"),
        "byte 9 is not UTF-8",
    ),
    Row("read", "audio empty", holds(f"{CHAPTER}/1-1-0003.flac", b""), r"1-1-0003\.flac: "),
    Row(
        "read", "no audio at all", holds(f"{CHAPTER}/1-1-0003.flac", b"text\n"), r"1-1-0003\.flac: "
    ),
    word("read", "--valid-speakers|9", "no such speaker|9"),
    full("read", "asr_train.partial", r"\.partial/"),
    foreign("read", "data/asr_train"),
]
TABLE = [
    Row("table", "running twice", held("data/ser"), "another run is writing here"),
    Row("table", "no table", gone(CSV), "corpus.csv: no such file"),
    Row("table", "header alone", cut(CSV, 39), "corpus.csv: 0 rows below the header|expected"),
    Row("table", "empty", holds(CSV, b""), "corpus.csv"),
    Row("table", "no UTF-8", holds(CSV, b"path,label\xff\n"), "byte 10 is not UTF-8"),
    Row("table", "no label column", replaced(CSV, "label", "colour"), "label"),
    Row("table", "column twice", replaced(CSV, "session", "speaker"), "speaker"),
    Row(
        "table", "unknown label", replaced(CSV, ",ang,", ",angr,"), r"the label 'angr'.*is it 'ang'"
    ),
    Row("table", "no such gender", replaced(CSV, ",f,", ",q,"), r"corpus.csv:2: .*'q'"),
    Row("table", "too many cells", replaced(CSV, "GO AWAY", "GO, AWAY"), r"corpus.csv:2: .*7"),
    Row("table", "audio gone", gone(WAV), "1F-ang.wav"),
    Row("table", "audio empty", holds(WAV, b""), "1F-ang.wav"),
    Row("table", "audio cut", cut(WAV), "1F-ang.wav"),
    Row("table", "audio is text", holds(WAV, b"no audio\n"), "1F-ang.wav"),
    Row(
        "table",
        "audio not finite",
        audio(WAV, 13000, float("nan")),
        "1F-ang.wav",
        left=r"\.partial/",
    ),
    Row("table", "no labels.yaml", gone("conf/labels.yaml"), "labels.yaml: no such file"),
    misspelt("table", "conf/labels.yaml", "clases", "classes"),
    Row(
        "table", "no YAML", holds("conf/labels.yaml", b"classes: [\n"), r"labels.yaml:\d+: not YAML"
    ),
    Row(
        "table",
        "class twice",
        replaced("conf/labels.yaml", "exclude:", "classes: {}\nexclude:"),
        "classes",
    ),
    foreign("table", "data/ser"),
    full("table", "/.ser.partial", r"\.partial/"),
    Row(
        "table",
        "not allowed",
        failing("/.ser.partial", EACCES),
        "Permission denied",
        left=r"\.partial/",
    ),
]
FOLDS = [
    Row("folds", "running twice", held("exp/folds"), "another run is writing here"),
    Row("folds", "no protocol", gone(PAPER), "paper.yaml: no such file"),
    misspelt("folds", PAPER, "fold_units", "fold_unit"),
    Row("folds", "no folds", key(PAPER, num_folds=0), "'num_folds' is 0"),
    Row("folds", "too many folds", key(PAPER, num_folds=9), "9"),
    Row("folds", "a leak unsaid", key(PAPER, fold_unit="random"), "speaker_dependent: true"),
    Row("folds", "selection on nothing", key(PAPER, selection="best_valid_ua"), "validation none"),
    Row(
        "folds",
        "table added",
        holds("data/ser/utt2mine", b"a b\n"),
        "its tables are not those that stage 0 wrote",
    ),
    word(
        "folds", "--folds|7", "--folds 7: no such fold; expected some of: 1 2 3", left="exp/folds/"
    ),
    word("folds", "--folds|1 1", "'1' occurs twice", left="exp/folds/"),
    full("folds", "/.folds.partial", r"\.partial/"),
    Row("audit", "other protocol", key(PAPER, num_folds=2), "num_folds was 3 and is 2"),
    full("audit", "audit.json", r"\.partial"),
]
FEATS = [
    word("feats", "--nj|0", "--nj 0: expected 1 to "),
    Row("feats", "no fbank.yaml", gone("conf/fbank.yaml"), "fbank.yaml: no such file"),
    misspelt("feats", "conf/fbank.yaml", "num_mel_bin", "num_mel_bins"),
    Row("feats", "no bands", key("conf/fbank.yaml", num_mel_bins=0), "'num_mel_bins' is 0"),
    Row(
        "feats", "above half the rate", key("conf/fbank.yaml", high_freq_hz=9000.0), "high_freq_hz"
    ),
    Row("feats", "audio gone", gone(WAV), r"1F-ang\.wav", left="dump/"),
    Row("feats", "audio cut", cut(WAV), r"1F-ang\.wav", left="dump/"),
    Row("feats", "read speech cut", cut(f"{CHAPTER}/1-1-0003.flac"), r"0003\.flac", left="dump/"),
    Row("feats", "longer audio", audio(WAV, 20000), r"utt2dur says 0\.81.*stage 0", left="dump/"),
    Row("feats", "running twice", held("dump/fbank/asr_train"), "another run is writing here"),
    full("feats", "feats.ark", "dump/"),
]
BPES = [
    Row("bpe", "running twice", held("exp/bpe"), "another run is writing here"),
    Row("bpe", "no bpe.yaml", gone(BPE), "bpe.yaml: no such file"),
    Row("bpe", "too many pieces", key(BPE, num_pieces=5000), "num_pieces 5000 is more than"),
    Row(
        "bpe",
        "too few pieces",
        key(BPE, num_pieces=3),
        "num_pieces 3 is less than|'num_pieces' is 3",
    ),
    Row("bpe", "a share above 1", key(BPE, character_coverage=2.0), "'character_coverage' is 2.0"),
    Row("bpe", "too small a share", key(BPE, character_coverage=0.95), "or equal to 0.98"),
    full("bpe", "/.bpe.partial", r"\.partial/"),
]
