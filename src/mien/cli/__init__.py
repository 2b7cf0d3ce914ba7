"""Words typed to verbs of the engine, and what they decide back to words, JSON or CSV.

One file per verb (`-` is `_` in its name), loaded when its verb is called: the table below is all that `mien --help` needs.
"""

from __future__ import annotations

# Verb -> what it does, in one line: the list in `mien --help` and the first line of the verb's own help.
VERBS = {
    "demo": "Show the whole street on real photographs, in under a minute.",
    "doctor": "Say in plain words what works on this machine, offline, and what to do about the rest.",
    "enrol": "Add people to a gallery, from pictures of each.",
    "identify": "Say who is in photos and videos: one decision per person seen.",
    "verify": "Say whether two pictures show the same person.",
    "detect": "Find every face in photos and videos.",
    "people": "List who is enrolled.",
    "dedupe": "List who may be enrolled twice, and whose pictures may show two people.",
    "cluster": "Group the unknown people of a photo collection, and keep what you say about the groups.",
    "forget": "Erase a person from a gallery, with a receipt.",
    "calibrate": "Work out thresholds and their evidence from the gallery's own people.",
    "migrate": "Move a gallery to another embedder, from the crops it kept.",
    "gate": "Measure whether an approximate search of a gallery would miss people.",
    "seal": "Encrypt a gallery so that it is searched without being decrypted.",
    "rotate": "Move a sealed gallery to new keys, and erase the old ones.",
    "serve-matcher": "Search a sealed gallery for others, in a process without keys.",
    "serve": "Serve galleries to others: REST, Rekognition's protocol, and a console in the browser.",
    "judge": "Read faces: expression, liveness, quality, or any classifier with a card.",
    "edit": "Change pictures: hide faces, with a mark of what was done.",
    "learn": "Train a recipe on a data set, to a model with its card and report.",
    "synth": "Render faces with exact ground truth, for training and for checks.",
    "audit": "Measure what you rely on: error rates, fairness, ageing, quality, each as a report to hand on.",
    "reproduce": "Run a published claim on data at hand: claim, measurement with interval, verdict.",
    "keys": "Make, list, rotate and revoke the keys of a service.",
    "log": "Show who did what in a service, and check that no entry was changed or taken out.",
    "retention": "Erase whoever's date has passed from the galleries of a service.",
    "models": "List, fetch, check and accept the models.",
}


def main() -> None:
    """The command `mien`; ends the process with the verb's exit code."""
    from mien.cli.group import group

    group.main(prog_name="mien")
