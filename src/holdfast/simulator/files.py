"""Files in memory: uploaded once, named in messages, forgotten with the simulator."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from holdfast.simulator.problems import ApiError
from holdfast.simulator.values import JsonObject, as_list, as_object, is_object, word

ROOM = 1024**3
"""Bytes of all files; beyond that uploads are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file."""

    id: str
    key: str
    filename: str
    mime_type: str
    data: bytes
    created_at: datetime
    expires_at: datetime | None = None

    def wire(self) -> JsonObject:
        """The file as the API tells of it; what was uploaded cannot be downloaded again."""
        return {
            "id": self.id,
            "type": "file",
            "filename": self.filename,
            "mime_type": self.mime_type,
            "size_bytes": len(self.data),
            "created_at": self.created_at.isoformat(),
            "expires_at": None if self.expires_at is None else self.expires_at.isoformat(),
            "downloadable": False,
        }

    def source(self) -> JsonObject:
        """The same content as it would stand in a message."""
        if self.mime_type.partition(";")[0].strip() == "text/plain":
            text = self.data.decode("utf-8", "replace")
            return {"type": "text", "media_type": "text/plain", "data": text}
        return {
            "type": "base64",
            "media_type": self.mime_type,
            "data": base64.b64encode(self.data).decode(),
        }


@dataclass(slots=True)
class Files:
    """The files of all keys, newest first; each key sees its own."""

    now: Callable[[], datetime]
    _files: dict[str, StoredFile] = field(default_factory=dict[str, StoredFile])
    _lock: Lock = field(default_factory=Lock)

    def add(self, file: StoredFile) -> None:
        """Keep a file; raises `ApiError` when there is no room."""
        with self._lock:
            if sum(len(kept.data) for kept in self._files.values()) + len(file.data) > ROOM:
                code: JsonObject = {"error_code": "storage_quota_exceeded"}
                raise ApiError(status=403, message="The storage limit of files is reached.", details=code)
            self._files[file.id] = file

    def of(self, key: str) -> list[StoredFile]:
        """The files of a key, newest first."""
        with self._lock:
            return [file for file in reversed(self._files.values()) if file.key == key and self._lives(file)]

    def find(self, name: str, key: str) -> StoredFile:
        """The file of that id; raises `ApiError` 404 where the key has none."""
        file = self._files.get(name)
        if file is None or file.key != key or not self._lives(file):
            raise ApiError(status=404, message=f"File not found: {name}")
        return file

    def remove(self, file: StoredFile) -> None:
        """Forget a file."""
        with self._lock:
            self._files.pop(file.id, None)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._files.clear()

    def filled(self, body: JsonObject, key: str) -> JsonObject:
        """A request with the contents of the files that it names; the body itself where it names none."""
        messages = as_list(body.get("messages"))
        filled = [self._filled(message, key) for message in messages]
        return {**body, "messages": filled} if filled != messages else body

    def _filled(self, value: object, key: str) -> object:
        """A message or a block, and the blocks within it."""
        if not is_object(value):
            return value
        content = value.get("content")
        if isinstance(content, list):
            value = {**value, "content": [self._filled(block, key) for block in as_list(value["content"])]}
        source = as_object(value.get("source"))
        if source.get("type") != "file":
            return value
        return {**value, "source": self.find(word(source, "file_id"), key).source()}

    def _lives(self, file: StoredFile) -> bool:
        return file.expires_at is None or self.now() < file.expires_at
