"""Data sets as people have them, to labelled pictures, pairs, scores and groups, and what is wrong with them.

Every reader hands back problems beside the data: bad rows, absent files and missing labels are counted and listed there.
"""

from mien.audit.data.ijb import Ijb, aggregate, is_ijb, paired, read_ijb
from mien.audit.data.labels import Groups, read_labels
from mien.audit.data.pairs import PairList, read_pairs
from mien.audit.data.picture import Labelled
from mien.audit.data.pictures import has_subjects, pictures
from mien.audit.data.scores import Scores, read_scores

__all__ = [
    "Groups",
    "Ijb",
    "Labelled",
    "PairList",
    "Scores",
    "aggregate",
    "has_subjects",
    "is_ijb",
    "paired",
    "pictures",
    "read_ijb",
    "read_labels",
    "read_pairs",
    "read_scores",
]
