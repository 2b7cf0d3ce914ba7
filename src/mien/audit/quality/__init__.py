"""The quality of a folder of pictures: component by component, the worst ones by name, and whether quality predicts errors."""

from mien.audit.quality.looking import Looked, look
from mien.audit.quality.reference import with_reference
from mien.audit.quality.report import Quality

__all__ = ["Looked", "Quality", "look", "with_reference"]
