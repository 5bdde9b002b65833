"""Writes the hostile files of this folder, one folder a format.

    python tests/attacks/hostile.py

What their code would do, if it were run, is harmless: it makes an empty folder.
"""

import io
import json
import os
import pickle
import struct
import sys
import tarfile
from pathlib import Path

import torch

HERE = Path(__file__).parent
PROOF = "attacked"  # the folder that is there if something of an attack was executed


class Payload:
    """An object that, unpickled, makes a file."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (PROOF,)


def wav(
    channels: int = 1, rate: int = 16000, bits: int = 16, kind: int = 1, data: bytes = bytes(3200),
    data_bytes: int | None = None,
) -> bytes:  # fmt: skip
    """A WAV file whose header may say anything."""
    size = len(data) if data_bytes is None else data_bytes
    form = struct.pack("<HHIIHH", kind, channels, rate, (rate * 2) % 2**32, 2, bits)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(chunks) - len(data) + size) + chunks


def saved(values: object) -> bytes:
    """What ``torch.save`` writes."""
    file = io.BytesIO()
    torch.save(values, file)
    return file.getvalue()


def tar(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    """An archive of one member."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        archive.addfile(member)
    return file.getvalue()


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    head = bytes([number & 127 | (128 if number > 127 else 0)])
    return head + (varint(number >> 7) if number > 127 else b"")


def field(number: int, data: bytes) -> bytes:
    """A field of protobuf."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx(weights_in: str) -> bytes:
    """A graph whose one tensor is kept in another file."""
    location = field(13, field(1, b"location") + field(2, weights_in.encode()))
    tensor = b"\x08\x01\x10\x01" + field(8, b"w") + location + b"\x70\x01"
    kind = field(2, field(1, b"\x08\x01" + field(2, field(1, b"\x08\x01"))))
    graph = field(2, b"g") + field(5, tensor) + field(12, field(1, b"w") + kind)
    metadata = field(14, field(1, b"ser") + field(2, b"{}"))
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11") + metadata


def bomb() -> str:
    """YAML of ten times ten times ten ... values."""
    pairs = zip("abcdefghi", "bcdefghij", strict=True)
    lines = [f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]" for a, b in pairs]
    return "\n".join(["x: &a [x,x,x,x,x,x,x,x,x,x]", *lines, "classes: *j", "exclude: []", ""])


HUGE_HEADER = struct.pack("<Q", 2**62) + b"{}"
OVERLAPPING = json.dumps({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]}}).encode()

FILES: dict[str, bytes] = {
    "ark/of_terabytes.ark": b"\0BFM " + struct.pack("<bibi", 4, 2**31 - 1, 4, 2**31 - 1),
    "ark/of_negative_size.ark": b"\0BFM " + struct.pack("<bibi", 4, -5, 4, 3) + bytes(60),
    "ark/compressed_of_terabytes.ark": b"\0BCM " + struct.pack("<ffii", 0, 1, 2**31 - 1, 2**20),
    "ark/pickle.ark": b"NUMPY" + pickle.dumps(Payload()),
    "scp/command.scp": f"u mkdir {PROOF} |\n".encode(),
    "scp/device.scp": b"u /dev/zero\n",
    "scp/offset_beyond_all.scp": b"u /etc/passwd:99999999999999999999999\n",
    "yaml/bomb.yaml": bomb().encode(),
    "yaml/python_object.yaml": f"classes: !!python/object/apply:os.mkdir [{PROOF}]\n".encode(),
    "yaml/deep.yaml": b"classes: " + b"[" * 60_000,
    "yaml/deep_on_one_line.yaml": b"- " * 60_000 + b"x\n",
    "yaml/device.yaml": b"classes: !include /dev/zero\n",
    "yaml/itself.yaml": b"classes: !include itself.yaml\n",
    "tar/outside.tar": tar(f"../../{PROOF}"),
    "tar/link.tar": tar("model", tarfile.SYMTYPE, "/etc/passwd"),
    "onnx/weights_elsewhere.onnx": onnx("/etc/passwd"),
    "onnx/no_graph.onnx": b"\xff" * 64,
    "wav/rate_of_gigahertz.wav": wav(rate=2**32 - 1),
    "wav/rate_of_zero.wav": wav(rate=0),
    "wav/channels_without_end.wav": wav(channels=65535),
    "wav/says_it_is_larger.wav": wav(data_bytes=2**30),
    "wav/not_a_number.wav": wav(kind=3, bits=32, data=struct.pack("<f", float("nan")) * 8000),
    "package/empty/package.json": b"{}",
    "package/of_the_future/package.json": b'{"format": 99}',
    "package/members_outside/package.json": b'{"format": 1, "members": ["../../../etc/passwd"]}',
    "package/deep/package.json": b"[" * 60_000,
    "safetensors/header_of_exabytes.safetensors": HUGE_HEADER,
    "safetensors/tensor_of_terabytes.safetensors": struct.pack("<Q", len(OVERLAPPING))
    + OVERLAPPING + bytes(8),
    "safetensors/pickle.safetensors": saved({"w": Payload()}),
    "checkpoint/pickle.pt": saved(Payload()),
    "checkpoint/pickle_of_old.pt": pickle.dumps(Payload()),
    "terminal/command.scp": b"u\x1b[2J\x1b]0;title\x07 no_such_file.wav\n",
    "html/words.tsv": b"</script><img src=x onerror=alert(1)>\t<b>\t\"'&\n",
}  # fmt: skip


def main() -> None:
    """Writes all of them."""
    for name, content in FILES.items():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    print(f"{len(FILES)} files", file=sys.stderr)


if __name__ == "__main__":
    main()
