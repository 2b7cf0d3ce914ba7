"""Cards: what comes with mien is complete, and a faulty card is told which key is wrong."""

from __future__ import annotations

import datetime
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.errors import ModelError, UnknownModel
from mien.models import card, catalogue
from mien.models.card import Abstain, PackageData, read
from mien.models.catalogue import BUILT_IN
from mien.types import OperatingPoint

GOOD = """
name = "mine"
task = "embedder"
summary = "A card for tests."
training = "Nothing."
limits = ["Not real."]
dimension = 512

[[file]]
role = "model"
name = "mine.onnx"
size = 10
sha256 = "{digest}"
sources = [
    {{ package = "some_package", path = "weights/mine.onnx" }},
    {{ url = "https://example.org/mine.onnx" }},
    {{ pack = "https://example.org/pack.zip", sha256 = "{digest}", size = 5, member = "mine.onnx" }},
]

[input]
size = [112, 112]
template = "arcface112"
colour = "bgr"
mean = [1, 2.5, 3]
std = 127.5
layout = "NCHW"

[licence]
code = "MIT"
weights = "MIT"
url = "https://example.org/LICENSE"
read_on = 2026-11-22
training_data = "None."
commercial = "yes"

[[result]]
data = "LFW"
metric = "accuracy"
value = 1
low = 0.9
high = 1.0
source = "nobody"

[[operating_point]]
threshold = 0.9
fmr = 1e-3
low = 0.0005
high = 0.002
comparisons = 100000
subjects = 1000
data = "some folds"
""".format(digest="0f" * 32)

BUILT_IN_NAMES = sorted(path.stem for path in BUILT_IN.glob("*.toml"))


@pytest.fixture(autouse=True)
def no_cards_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIEN_CARDS", raising=False)


def written(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", BUILT_IN_NAMES)
def test_every_card_is_complete(name: str) -> None:
    made = card(name)
    assert made.name == name
    licence = made.licence
    assert all(
        len(text) > 2 for text in (licence.code, licence.weights, licence.training_data, made.summary, made.training)
    )
    assert licence.url.startswith("http")
    assert datetime.date(2026, 1, 1) <= licence.read_on <= datetime.date.today()
    for file in made.files:
        assert file.sha256 and (file.sources or any("no verified address" in limit for limit in made.limits))
    if made.task == "embedder":
        assert made.dimension
        assert made.input and made.input.template != "none" and made.input.size


def test_the_catalogue_has_what_users_will_ask_for() -> None:
    embedders = {one.name for one in catalogue("embedder")}
    assert {"dlib_resnet", "sface", "auraface", "buffalo_l", "edgeface_base", "adaface_ir_50"} <= embedders
    assert {"mtcnn", "dlib_mmod", "yunet", "scrfd_10g"} <= {one.name for one in catalogue("detector")}
    assert len(catalogue()) == len(BUILT_IN_NAMES)


@pytest.mark.parametrize(
    ("name", "colour", "mean", "std"),
    [
        ("adaface_ir_18", "bgr", 127.5, 127.5),
        ("adaface_ir_50", "bgr", 127.5, 127.5),
        ("adaface_ir_101", "bgr", 127.5, 127.5),
        ("buffalo_l", "rgb", 127.5, 127.5),
        ("auraface", "rgb", 127.5, 127.5),
        ("edgeface_xs_gamma_06", "rgb", 127.5, 127.5),
        ("sface", "rgb", 0.0, 1.0),
        ("scrfd_10g", "rgb", 127.5, 128.0),
        ("yunet", "bgr", 0.0, 1.0),
    ],
)
def test_input_conventions_that_are_easily_mistaken(name: str, colour: str, mean: float, std: float) -> None:
    wanted = card(name).input
    assert wanted is not None
    assert (wanted.colour, wanted.mean, wanted.std) == (colour, (mean,) * 3, (std,) * 3)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("dlib_resnet", "yes"),
        ("mtcnn", "yes"),
        ("auraface", "yes"),
        ("sface", "unclear"),
        ("adaface_ir_18", "unclear"),
        ("buffalo_l", "no"),
        ("scrfd_500m", "no"),
        ("edgeface_xxs", "no"),
    ],
)
def test_verdicts_do_not_change_by_accident(name: str, verdict: str) -> None:
    assert card(name).licence.commercial == verdict


def test_every_recipe_that_a_card_names_exists() -> None:
    from mien.models.build import RECIPES

    assert {one.build for one in catalogue() if one.build} <= set(RECIPES)


def test_a_good_card_is_read_to_the_letter(tmp_path: Path) -> None:
    made = card(written(tmp_path, GOOD))
    assert made.input and made.input.mean == (1.0, 2.5, 3.0) and made.input.size == (112, 112)
    assert made.operating_points == (OperatingPoint(0.9, 1e-3, 0.0005, 0.002, 100_000, 1000, "some folds"),)
    assert made.results[0].value == 1.0
    assert made.files[0].sources[0] == PackageData("some_package", "weights/mine.onnx")
    assert [type(source).__name__ for source in made.files[0].sources] == ["PackageData", "Url", "Pack"]
    assert made.origin == tmp_path / "mine.toml"


def test_a_classifiers_card(tmp_path: Path) -> None:
    assert card(written(tmp_path, GOOD)).labels == () and card(written(tmp_path, GOOD)).output == "probabilities"
    text = GOOD.replace("dimension = 512", 'labels = ["happy", "sad"]\noutput = "logits"')
    text = text.replace('"arcface112"', '"square"').replace('"bgr"', '"grey"')
    made = card(written(tmp_path, text))
    assert (made.labels, made.output) == (("happy", "sad"), "logits")
    assert made.input and (made.input.template, made.input.colour) == ("square", "grey")
    assert made.statement == {}
    more = text + '\n[statement]\nintended_use = "Trying it out."\ncontact = "me"\n'
    assert card(written(tmp_path, more)).statement == {"intended_use": "Trying it out.", "contact": "me"}


def test_a_card_may_say_when_its_model_says_nothing(tmp_path: Path) -> None:
    assert card(written(tmp_path, GOOD)).abstain is None
    text = GOOD + '\n[abstain]\nleast_probability = 0.4\nleast_eye_distance = 12\ndata = "the dev split"\n'
    assert card(written(tmp_path, text)).abstain == Abstain("the dev split", 0.4, 12.0)


FAULTS = {
    "abstain without data": ("[licence]", "[abstain]\nleast_probability = 0.4\n\n[licence]", "'abstain.data'"),
    "abstain for no reason": ("[licence]", "[abstain]\ndata = ''\n\n[licence]", "'abstain.data'"),
    "abstain unknown": ("[licence]", "[abstain]\ndata = 'x'\nleast = 1\n\n[licence]", "'abstain.least'"),
    "abstain above 1": ("[licence]", "[abstain]\ndata = 'x'\nleast_score = 1.5\n\n[licence]", "'abstain.least_score'"),
    "abstain at nan": (
        "[licence]",
        "[abstain]\ndata = 'x'\nleast_quality = nan\n\n[licence]",
        "'abstain.least_quality'",
    ),
    "abstain at inf": (
        "[licence]",
        "[abstain]\ndata = 'x'\nleast_eye_distance = inf\n\n[licence]",
        "'abstain.least_eye_distance'",
    ),
    "unknown at the top": ('name = "mine"', 'name = "mine"\ncolour = "red"', "'colour'"),
    "unknown in a file": ("size = 10", "size = 10\nhash = 1", "'file[0].hash'"),
    "unknown in a source": ("path = ", "where = 1, path = ", "'file[0].sources[0].where'"),
    "unknown in a point": ("fmr = 1e-3", "fmr = 1e-3\nfar = 1", "'operating_point[0].far'"),
    "no licence": ("[licence]", "[licensing]", "'licence'"),
    "no date": ("read_on = 2026-11-22", "", "'licence.read_on'"),
    "no threshold": ("threshold = 0.9", "", "'operating_point[0].threshold'"),
    "date as text": ("read_on = 2026-11-22", 'read_on = "today"', "'licence.read_on'"),
    "verdict": ('commercial = "yes"', 'commercial = "maybe"', "'licence.commercial'"),
    "verdict as a boolean": ('commercial = "yes"', "commercial = true", "'licence.commercial'"),
    "short digest": ('sha256 = "0f', 'sha256 = "f', "'file[0].sha256'"),
    "digest in capitals": ('sha256 = "0f', 'sha256 = "0F', "'file[0].sha256'"),
    "negative size": ("size = 10", "size = -1", "'file[0].size'"),
    "size as text": ("size = 10", 'size = "10"', "'file[0].size'"),
    "size as a boolean": ("size = 10", "size = true", "'file[0].size'"),
    "ftp": ('url = "https://example.org/mine', 'url = "ftp://example.org/mine', "'file[0].sources[1].url'"),
    "a local file": ('url = "https://example.org/mine', 'url = "file:///etc/passwd', "'file[0].sources[1].url'"),
    "leaves the package": ("weights/mine.onnx", "../../mine.onnx", "'file[0].sources[0].path'"),
    "dotted package": ('"some_package"', '"some.package"', "'file[0].sources[0].package'"),
    "leaves the folder": ('name = "mine.onnx"', 'name = "../mine.onnx"', "'file[0].name'"),
    "two means": ("mean = [1, 2.5, 3]", "mean = [1, 2]", "'input.mean'"),
    "std of nothing": ("std = 127.5", "std = 0", "'input.std'"),
    "colour": ('colour = "bgr"', 'colour = "brg"', "'input.colour'"),
    "limits": ('limits = ["Not real."]', "limits = [1]", "'limits'"),
    "another name": ('name = "mine"', 'name = "other"', "'name'"),
    "labels twice": ("dimension = 512", 'labels = ["a", "a"]', "'labels'"),
    "label without a name": ("dimension = 512", 'labels = ["a", ""]', "'labels'"),
    "output": ("dimension = 512", 'output = "scores"', "'output'"),
    "grey embedder": ('colour = "bgr"', 'colour = "grey"', "'input.colour'"),
    "statement": ("[licence]", "[statement]\npurpose = 'x'\n\n[licence]", "'statement.purpose'"),
    "name with a space": ('name = "mine"', 'name = "my ne"', "'name'"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_card_names_its_file_and_key(tmp_path: Path, fault: str) -> None:
    old, new, key = FAULTS[fault]
    assert old in GOOD
    with pytest.raises(ModelError) as caught:
        read(written(tmp_path, GOOD.replace(old, new, 1)))
    assert key in caught.value.message
    assert "mine.toml" in caught.value.message


def test_files_must_be_there_and_have_roles_of_their_own(tmp_path: Path) -> None:
    block = GOOD[GOOD.index("[[file]]") : GOOD.index("[input]")]
    for text in (GOOD.replace(block, ""), GOOD.replace(block, block + block)):
        with pytest.raises(ModelError, match="'file'"):
            read(written(tmp_path, text))


def test_no_toml_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is no TOML"):
        read(written(tmp_path, "name = "))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="cannot be read"):
        read(tmp_path / "binary.toml")
    with pytest.raises(ModelError, match="cannot be read"):
        read(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(GOOD)), cut=st.integers(0, 30), put=st.text(string.printable, max_size=12))
def test_whatever_is_written_gives_a_card_or_a_model_error(tmp_path: Path, at: int, cut: int, put: str) -> None:
    path = written(tmp_path, GOOD[:at] + put + GOOD[at + cut :])
    try:
        assert read(path).name == "mine"
    except ModelError as error:
        assert str(path) in error.message


def test_cards_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, GOOD)
    with pytest.raises(UnknownModel):
        card("mine")
    monkeypatch.setenv("MIEN_CARDS", str(tmp_path))
    assert card("mine").origin == tmp_path / "mine.toml"
    assert "mine" in {one.name for one in catalogue("embedder")}


def test_two_cards_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, GOOD.replace('"mine"', '"yunet"'), "yunet")
    monkeypatch.setenv("MIEN_CARDS", str(tmp_path))
    with pytest.raises(ModelError, match="Two cards are called 'yunet'"):
        card("yunet")


def test_a_folder_of_cards_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CARDS", str(tmp_path / "absent"))
    with pytest.raises(ModelError, match="absent does not exist"):
        catalogue()


@pytest.mark.parametrize(
    ("typo", "meant"), [("buffalo-l", "buffalo_l"), ("Yunet", "yunet"), ("dlib_resnt", "dlib_resnet")]
)
def test_a_typo_is_answered_with_the_nearest_name(typo: str, meant: str) -> None:
    with pytest.raises(UnknownModel, match=rf"Did you mean .*\b{meant}\b"):
        card(typo)


def test_a_path_that_is_no_card(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match=r"no card at .*gone\.toml"):
        card(tmp_path / "gone.toml")


GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "models.md"


def test_the_guide_names_every_card() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert [name for name in BUILT_IN_NAMES if f"`{name}`" not in text] == []


def test_the_card_in_the_guide_can_be_read(tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    assert read(written(tmp_path, text.replace("…", "0" * 64), "my_embedder")).dimension == 512
