"""What a file is, by its first bytes and never by its suffix."""

from __future__ import annotations

from typing import Literal

Kind = Literal["image", "video"]
HEAD = 64  # bytes that `picture_format` and `kind_of` look at

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    *((b"P%d%c" % (number, space), "PNM") for number in range(1, 7) for space in b" \t\r\n#"),
)
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2"}
_AVIF_BRANDS = {b"avif", b"avis"}
_VIDEO_STARTS = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"OggS",
    b"\0\0\x01\xba",  # MPEG program stream
    b"\0\0\x01\xb3",  # MPEG video
    b"0&\xb2u\x8ef\xcf\x11",  # ASF, WMV
    b".RMF",
    b"YUV4MPEG2 ",
    b"DKIF",  # IVF
)
_MOVIE_ATOMS = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def picture_format(head: bytes) -> str | None:
    """Name of the picture format that `head` (the first 64 bytes) opens, or None."""
    for start, name in _STARTS:
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    brands = _brands(head)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    # A motion-picture brand first means a movie even where a still brand is listed as compatible.
    if head[8:12] in _HEIF_BRANDS and brands:
        return "HEIF"
    return None


def kind_of(head: bytes) -> Kind | None:
    """Picture or video, as far as the first 64 bytes tell; None where they do not."""
    if picture_format(head) is not None:
        return "image"
    is_movie = (
        head.startswith(_VIDEO_STARTS)
        or head[4:8] in _MOVIE_ATOMS
        or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or (head[:1] == b"\x47" and len(head) >= 8 and head[1] & 0x80 == 0 and head[3] & 0x10)  # MPEG transport stream
    )
    return "video" if is_movie else None


def _brands(head: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base-media file (ISO/IEC 14496-12, 4.3)."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
