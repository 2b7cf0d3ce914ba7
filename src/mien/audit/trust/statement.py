"""What the model's card says of purpose, limits and people, question by question. What it does not say is named."""

from __future__ import annotations

from mien.audit.trust.requirement import Requirement
from mien.models import Card

# Question -> the key of the card that answers it.
QUESTIONS = (
    ("What is it for?", "statement.intended_use"),
    ("What must it not be used for?", "statement.not_for"),
    ("Whom does it affect, and how could it harm them?", "statement.people"),
    ("Did the people in the training data agree?", "statement.consent"),
    ("Who checks its answers, and who can object?", "statement.oversight"),
    ("Who answers for it?", "statement.contact"),
    ("What was it trained on?", "training"),
    ("Under which terms may the training data be used?", "licence.training_data"),
    ("What are its known limits?", "limits"),
    ("Where is it described?", "paper"),
)
READS_APPEARANCE = (
    "The model reads how a face looks in a picture. It does not read what somebody feels, means or is: expressions and "
    "feelings do not map one to one, and differ between people, cultures and situations."
)


def statement(card: Card) -> list[Requirement]:
    """A requirement per question: met by what the card says, word for word, or not stated."""
    made = []
    for question, key in QUESTIONS:
        answer = _answer(card, key)
        words = answer if answer else f"The card does not say: write `{key.rpartition('.')[2]}`{_where(key)}."
        made.append(Requirement("statement", question, "met" if answer else "not stated", words))
    return made


def _where(key: str) -> str:
    return f" into its table [{key.partition('.')[0]}]" if "." in key else " into it"


def _answer(card: Card, key: str) -> str:
    table, _, name = key.rpartition(".")
    if table == "statement":
        return card.statement.get(name, "").strip()
    if table == "licence":
        return card.licence.training_data.strip()
    value = getattr(card, name)
    return " ".join(value) if isinstance(value, tuple) else str(value).strip()
