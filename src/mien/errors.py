"""Every error that mien raises on purpose.

    MienError
    ├── UsageError              64  the request makes no sense
    ├── InputError              65  the thing given cannot be used
    │   ├── MediaNotFound       66  no such file, folder or camera
    │   ├── UnreadableMedia     65  empty, truncated, no picture, no video stream, too large
    │   ├── NoFace              65  a face was wanted and none is there
    │   ├── SeveralFaces        65  one face was wanted and there are more
    │   ├── PoorFace            65  a face too poor to know anybody by
    │   └── BadSubject          65  a name that cannot be a subject's
    ├── CannotWrite             73  a file cannot be written: disk full, no permission
    ├── ModelError              69
    │   ├── UnknownModel        64  no card of that name
    │   ├── ModelUnavailable    69  a file is missing and cannot be had
    │   ├── ModelCorrupt        69  a file is not the one on the card
    │   └── LicenceNotAccepted  77  the weights' terms want a yes by name
    ├── GalleryError            74
    │   ├── GalleryNotFound     66
    │   ├── GalleryCorrupt      74
    │   ├── GalleryReadOnly     73
    │   ├── GalleryFull         73  disk full
    │   ├── GalleryBusy         75  another process is writing
    │   ├── SpaceMismatch       65  templates of another model
    │   └── UnknownSubject      66
    ├── EvidenceError           65  the data cannot support the number asked for
    ├── ServiceError            70  the service refuses a request
    │   ├── NotAuthenticated    77  no key, an unknown or a revoked one
    │   ├── NotAllowed          77  a key without that right
    │   ├── NotFound            66  no such job, key or route
    │   ├── Conflict            75  somebody changed it meanwhile, or the same key came with another request
    │   ├── TooLarge            65  more bytes or faces than the service takes
    │   ├── UnsupportedContent  65  a content type that the route does not take
    │   ├── TooSlow             75  the body did not arrive in time
    │   ├── Overloaded          75  too many requests at once, or a quota is used up
    │   └── Unavailable         75  the service is starting or stopping
    └── TrainingFailed          70  a loss is no number, or memory ran out; what was learnt before is kept

The numbers are exit codes of the command line (after sysexits.h); `status` is the HTTP status that fits.
Each message is one sentence that names the thing; `remedy` is one that says what to do.
"""

from __future__ import annotations

from typing import ClassVar


class MienError(Exception):
    """Base of all. `code` is stable and the same in Python and on the command line."""

    exit_code: ClassVar[int] = 70
    status: ClassVar[int] = 500

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    @property
    def code(self) -> str:
        """The stable name of this kind of error."""
        return type(self).__name__

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class UsageError(MienError):
    """The request makes no sense."""

    exit_code = 64
    status = 400


class InputError(MienError):
    """The thing given cannot be used."""

    exit_code = 65
    status = 422


class MediaNotFound(InputError):
    """No such file, folder or camera."""

    exit_code = 66
    status = 404


class UnreadableMedia(InputError):
    """Empty, truncated, no picture, no video stream, or larger than allowed."""


class NoFace(InputError):
    """A face was wanted and none is there."""


class SeveralFaces(InputError):
    """One face was wanted and there are more."""


class PoorFace(InputError):
    """The face is there, and too poor to know anybody by."""


class BadSubject(InputError):
    """A name that cannot be a subject's."""


class CannotWrite(MienError):
    """A file cannot be written: disk full, no permission."""

    exit_code = 73
    status = 507


class ModelError(MienError):
    """A model cannot be used."""

    exit_code = 69
    status = 503


class UnknownModel(ModelError):
    """No card of that name."""

    exit_code = 64
    status = 404


class ModelUnavailable(ModelError):
    """A file of the model is missing and cannot be had."""


class ModelCorrupt(ModelError):
    """A file of the model is not the one on the card."""


class LicenceNotAccepted(ModelError):
    """The terms of the weights want a yes by name."""

    exit_code = 77
    status = 403


class GalleryError(MienError):
    """A gallery cannot do what was asked."""

    exit_code = 74
    status = 500


class GalleryNotFound(GalleryError):
    """No gallery there."""

    exit_code = 66
    status = 404


class GalleryCorrupt(GalleryError):
    """The file is damaged or no gallery."""


class GalleryReadOnly(GalleryError):
    """The gallery may be read but not written."""

    exit_code = 73
    status = 403


class GalleryFull(GalleryError):
    """No room left on the disk."""

    exit_code = 73
    status = 507


class GalleryBusy(GalleryError):
    """Another process is writing and did not finish in time."""

    exit_code = 75
    status = 503


class SpaceMismatch(GalleryError):
    """Templates of another model (or alignment, or preprocessing) cannot be compared."""

    exit_code = 65
    status = 409


class UnknownSubject(GalleryError):
    """Nobody of that name is enrolled."""

    exit_code = 66
    status = 404


class EvidenceError(MienError):
    """The data at hand cannot support the number asked for."""

    exit_code = 65
    status = 422


class TrainingFailed(MienError):
    """A loss is no number, or memory ran out; the last good checkpoint is kept."""


class ServiceError(MienError):
    """The service refuses a request."""


class NotAuthenticated(ServiceError):
    """No key, or one that is unknown or was revoked."""

    exit_code = 77
    status = 401


class NotAllowed(ServiceError):
    """The key does not have that right."""

    exit_code = 77
    status = 403


class NotFound(ServiceError):
    """The service has no such thing."""

    exit_code = 66
    status = 404


class Conflict(ServiceError):
    """Something was changed meanwhile, or a key came again with another request."""

    exit_code = 75
    status = 409


class TooLarge(ServiceError):
    """More than the service takes at once."""

    exit_code = 65
    status = 413


class UnsupportedContent(ServiceError):
    """A content type that the route does not take."""

    exit_code = 65
    status = 415


class TooSlow(ServiceError):
    """The body did not arrive in time."""

    exit_code = 75
    status = 408


class Overloaded(ServiceError):
    """Too many requests at once, or a quota is used up."""

    exit_code = 75
    status = 429

    def __init__(self, message: str, remedy: str = "", after: float = 1.0) -> None:
        super().__init__(message, remedy)
        self.after = after  # s until it is worth trying again


class Unavailable(ServiceError):
    """The service is starting or stopping."""

    exit_code = 75
    status = 503
