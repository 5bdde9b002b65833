"""On loopback, what fetching and uploading models asks of the Hugging Face hub."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Hub:
    """Models by name: the files of each revision, the newest last; and what was asked of it."""

    address: str = ""
    models: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    cards: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def commit(self, name: str, files: dict[str, bytes]) -> str:
        """A new revision of a model."""
        revisions = self.models.setdefault(name, {})
        revision = hashlib.sha1(f"{name} {len(revisions)}".encode()).hexdigest()
        revisions[revision] = files
        return revision

    def find(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        revisions = self.models.get(name, {})
        revision = list(revisions)[-1] if revision == "main" and revisions else revision
        return (revision, revisions[revision]) if revision in revisions else None


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        self._answer(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def _missing(self, code: str) -> None:
        self._json({"error": "not found"}, 404, X_Error_Code=code)

    def do_GET(self) -> None:  # http.server's name
        path = urlsplit(self.path).path
        self.hub.asked.append(f"{self.command} {path}")
        words = path.strip("/").split("/")
        api = words[:2] == ["api", "models"]
        name = "/".join(words[2:4] if api else words[:2])
        if name not in self.hub.models:
            return self._missing("RepoNotFound")
        found = self.hub.find(name, words[5 if api else 3] if len(words) > 3 + 2 * api else "main")
        if found is None:
            return self._missing("RevisionNotFound")
        revision, files = found
        if not api:
            body = files.get("/".join(words[4:]))
            if body is None:
                return self._missing("EntryNotFound")
            etag = f'"{hashlib.sha1(body).hexdigest()}"'
            return self._answer(200, body, ETag=etag, X_Repo_Commit=revision)
        if words[4:5] == ["tree"]:
            return self._json(
                [
                    {"type": "file", "path": n, "size": len(b), "oid": hashlib.sha1(b).hexdigest()}
                    for n, b in files.items()
                ]
            )
        siblings = [{"rfilename": name} for name in files]
        return self._json({"id": name, "sha": revision, "siblings": siblings, "tags": []})

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        self.hub.asked.append(f"POST {path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        words = path.strip("/").split("/")
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            self.hub.models.setdefault(name, {"0" * 40: {}})
            if asked.get("private") or asked.get("visibility") == "private":
                self.hub.private.add(name)
            return self._json({"url": f"{self.hub.address}/{name}"})
        if path == "/api/validate-yaml":
            self.hub.cards.append(json.loads(body)["content"])
            return self._json({"errors": [], "warnings": []})
        name = "/".join(words[2:4])
        if words[4] == "preupload":
            modes = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            return self._json({"files": modes})
        found = self.hub.find(name, "main")
        files = dict(found[1]) if found else {}
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        revision = self.hub.commit(name, files)
        url = f"{self.hub.address}/{name}/commit/{revision}"
        return self._json({"success": True, "commitOid": revision, "commitUrl": url})


@contextmanager
def stand_in_hub() -> Iterator[Hub]:
    """A hub that lives as long as the block."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hub
        server.shutdown()
