"""A gallery on a Milvus server, which several processes and machines share.

    gallery = open_gallery("milvus://db.example.org:19530/people")

Rows are kept and searched there (flat, inner product); names, checks, scores and ties are those of every other engine. Needs
`pip install mien[milvus]`. How writes are made whole on a server without transactions stands in `batches`.
"""

from __future__ import annotations

from mien.gallery.base import BaseGallery

SCHEMES = ("milvus", "milvus+tls")


def open_milvus(address: str, create: bool = True, read_only: bool = False) -> BaseGallery:
    """The gallery at milvus://host:port/collection (see `address`).

    Raises UsageError, GalleryNotFound, GalleryBusy where no server answers, GalleryCorrupt for a collection of others."""
    from mien.gallery.milvus.address import read_address
    from mien.gallery.milvus.gallery import MilvusGallery

    return MilvusGallery(read_address(address), create=create, read_only=read_only)
