"""Names that users give, where they become files, columns and lines: what each may hold."""

import re
import unicodedata
from dataclasses import dataclass

# Control characters (tabs and line ends among them), line separators, half characters.
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
UNSEEN = re.compile(f"[{_CONTROL}]")
FORGING = re.compile(f"[{_CONTROL}\u202a-\u202e\u2066-\u2069]")  # and turns of the direction
MAX_BYTES = 200  # of a file's name 255, less what stands around a name: seed1_fold..., .sha256


def composed(text: str) -> str:
    """With letters and their marks in one character (Unicode NFC): some systems write two."""
    return unicodedata.normalize("NFC", text)


@dataclass(frozen=True)
class Name:
    """What one kind of name may hold.

    Attributes:
        what: What it is the name of.
        is_word: Whether it holds no space.
        is_file: Whether files and folders are called by it.
        taken: Files and folders that are ours where it names one.
        most_chars: Its length.
    """

    what: str
    is_word: bool = False
    is_file: bool = False
    taken: frozenset[str] = frozenset()
    most_chars: int = 4096

    def fault(self, name: str) -> str:
        """What is wrong with a name, and what is expected; empty where nothing is."""
        if not name:
            return f"the {self.what} is empty; expected a name; give it one"
        if len(name) > self.most_chars:
            return (
                f"the {self.what} '{name[:20]}...' has {len(name)} characters; expected at most "
                f"{self.most_chars}; rename it"
            )
        said = f"the {self.what} '{name}'"
        if found := UNSEEN.search(name):
            kind = "a tab" if found[0] == "\t" else "a character that is not shown"
            return f"{said} holds {kind}; expected none, nor a line end; rename it"
        if name.strip() != name or (self.is_word and name.split() != [name]):
            expected = "one word" if self.is_word else "none at its ends"
            return f"{said} holds a space; expected {expected}; rename it"
        if self.is_file:
            return self._file_fault(name, said)
        return ""

    def _file_fault(self, name: str, said: str) -> str:
        expected = "a word without slashes, since it names files"
        if "/" in name or set(name) == {"."}:
            return f"{said} is no name of a file; expected {expected}; rename it"
        if len(name.encode()) > MAX_BYTES:
            size = len(name.encode())
            return f"{said} has {size} bytes; expected at most {MAX_BYTES}, since it names files"
        if name.casefold() in self.taken or (self.taken and name[0] in ".-"):
            ours = ", ".join(sorted(one for one in self.taken if "." not in one))
            return (
                f"{said} is reserved; expected another name than {ours}, not beginning with '.' or "
                "'-'; rename it"
            )
        return ""

    def fits(self, name: str) -> bool:
        """Whether nothing is wrong with a name."""
        return not self.fault(name)

    def checked(self, name: str) -> str:
        """The name; for pydantic.

        Raises:
            ValueError: Something is wrong with it.
        """
        if fault := self.fault(name):
            raise ValueError(fault)
        return name


EXPERIMENT = frozenset(  # what an experiment's folder, exp, holds beside its systems
    (
        *("bpe", "encoded", "figures", "folds", "predictions", "pretrain", "slurm"),
        *("figures.partial", "audit.json", "audit.md"),
        *("results.json", "results.md", "report.html"),
        *("results.partial.json", "results.partial.md", "report.partial.html"),
    )
)
SYSTEM = Name("system", is_word=True, is_file=True, taken=EXPERIMENT)
CONFIGURATION = Name(
    "configuration", is_word=True, is_file=True, taken=EXPERIMENT | {"fbank"}
)  # exp/<name>, dump/<name>
ENCODER = Name("encoder", is_word=True, is_file=True, taken=frozenset({"encoded"}))
FOLD = Name("fold", is_word=True, is_file=True)
UTTERANCE = Name("utterance", is_word=True)
SPEAKER = Name("speaker", is_word=True, is_file=True)  # it may name a fold, and so may a session
SESSION = Name("session", is_word=True, is_file=True)
CLASS = Name("class", most_chars=200)
LABEL = Name("label")


def is_line(text: str) -> bool:
    """Whether a value can stand in a line between tabs, and is what it looks like."""
    return UNSEEN.search(text) is None


def printable(text: str, encoding: str = "utf-8") -> str:
    """Text for a terminal: what would make it another line, or cannot be written, is escaped."""
    shown = FORGING.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return shown.encode(encoding, "backslashreplace").decode(encoding)
