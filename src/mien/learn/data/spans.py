"""Long videos with marked intervals to one example per interval."""

from __future__ import annotations

from dataclasses import replace

from mien.learn.data.example import Dataset, Example, Span


def cut(dataset: Dataset, kind: str = "") -> Dataset:
    """One example per span of a kind ("micro", "macro"; "" for all): its frames, its label, and the span on the new
    timeline, which begins with the onset. Subjects and splits stay, so what is cut of one video stays together."""
    cut_out = [
        _part(one, span, number)
        for one in dataset.examples
        for number, span in enumerate(one.spans, 1)
        if not kind or span.kind == kind
    ]
    met = {one.label for one in cut_out if one.label}
    labels = tuple(label for label in dataset.labels if label in met) + tuple(sorted(met - set(dataset.labels)))
    return replace(dataset, examples=tuple(cut_out), labels=labels)


def _part(example: Example, span: Span, number: int) -> Example:
    media, first = example.media, example.media.first
    apex = None if span.apex is None else span.apex - span.onset
    return replace(
        example,
        name=f"{example.name}#{number}",
        media=replace(media, first=first + span.onset, last=first + span.offset),
        label=span.label or None,
        group={**example.group, **({"kind": span.kind} if span.kind else {})},
        spans=(replace(span, onset=0, apex=apex, offset=span.offset - span.onset),),
    )
