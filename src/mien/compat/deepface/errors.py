"""DeepFace's exceptions by name. Each is a ValueError, as there, and at home in mien's own tree, so either can be caught."""

from __future__ import annotations

from mien.errors import InputError, MediaNotFound, NoFace, UnreadableMedia, UsageError


class ImgNotFound(MediaNotFound, ValueError):
    """No such picture."""


class PathNotFound(MediaNotFound, ValueError):
    """No such folder."""


class FaceNotDetected(NoFace, ValueError):
    """A face was wanted and none is there."""


class SpoofDetected(InputError, ValueError):
    """Never raised: `anti_spoofing=True` is refused. It is here for programs that name it in an except clause."""


class EmptyDatasource(InputError, ValueError):
    """The folder to search holds no picture."""


class DimensionMismatchError(InputError, ValueError):
    """An embedding of another length than the model's."""


class InvalidEmbeddingsShapeError(InputError, ValueError):
    """No embedding: not a row of finite numbers, or all zero."""


class DataTypeError(UnreadableMedia, ValueError):
    """What was given is no picture."""


class UnimplementedError(UsageError, ValueError):
    """An argument that mien does not honour, with the reason."""


class DuplicateEntryError(InputError, ValueError):
    """Never raised: nothing here writes into a database of people."""
