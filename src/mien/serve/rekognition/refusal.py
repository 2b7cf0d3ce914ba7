"""Refusals as the protocol words them: a code of the service model, a sentence, a status."""

from __future__ import annotations

from mien.errors import (
    CannotWrite,
    Conflict,
    GalleryBusy,
    GalleryFull,
    GalleryNotFound,
    InputError,
    MienError,
    ModelError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Overloaded,
    TooLarge,
    TooSlow,
    Unavailable,
    UnknownSubject,
    UnreadableMedia,
)

_STATUS = {
    "AccessDeniedException": 400,
    "InternalServerError": 500,
    "ServiceUnavailableException": 503,
    "RequestEntityTooLargeException": 413,
    "RequestTimeoutException": 408,
    "UnknownOperationException": 404,
}  # all others: 400

# The first kind that an error is of.
_CODES: tuple[tuple[type[MienError], str], ...] = (
    (NotAuthenticated, "UnrecognizedClientException"),
    (NotAllowed, "AccessDeniedException"),
    (Overloaded, "ThrottlingException"),
    (Unavailable, "ServiceUnavailableException"),
    (TooLarge, "RequestEntityTooLargeException"),
    (TooSlow, "RequestTimeoutException"),
    (GalleryNotFound, "ResourceNotFoundException"),
    (UnknownSubject, "ResourceNotFoundException"),
    (NotFound, "ResourceNotFoundException"),
    (Conflict, "ConflictException"),
    (UnreadableMedia, "InvalidImageFormatException"),
    (GalleryBusy, "ThrottlingException"),
    (GalleryFull, "ServiceQuotaExceededException"),
    (CannotWrite, "ServiceQuotaExceededException"),
    (ModelError, "InternalServerError"),
    (InputError, "InvalidParameterException"),
)


class Refused(MienError):
    """A refusal that has its code in the protocol already."""

    def __init__(self, kind: str, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.kind = kind


def kind_of(error: MienError) -> str:
    """The protocol's code for an error. What the caller can mend is theirs, all else the service's."""
    if isinstance(error, Refused):
        return error.kind
    found = next((code for known, code in _CODES if isinstance(error, known)), None)
    return found or ("InvalidParameterException" if error.status < 500 else "InternalServerError")


def status_of(kind: str) -> int:
    """The HTTP status that goes with a code."""
    return _STATUS.get(kind, 400)


def invalid(message: str, remedy: str = "") -> Refused:
    """The refusal of a parameter."""
    return Refused("InvalidParameterException", message, remedy)
