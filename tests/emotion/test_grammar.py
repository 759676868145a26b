import numpy as np
import pytest

from talkinghead.emotion.grammar import REGIONS, SYNONYMS, Emotion, parse_emotion
from talkinghead.emotion.lexicon import FEELINGS
from talkinghead.emotion.prompt import read_prompt
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS

BROW, EYES, MOUTH = range(3)


def column(name: str) -> int:
    return EMOTIONS.index(name)


def shown(text: str | list[str], intensity: float = 0.7) -> np.ndarray:
    """(3, 8) over a face that shows nothing."""
    return parse_emotion(text).over(np.zeros((len(REGIONS), len(EMOTIONS)), np.float32), intensity)


def mix(text: str) -> np.ndarray:
    parsed = parse_emotion(text).mix
    assert parsed is not None
    return parsed


@pytest.mark.parametrize("name", EMOTIONS)
def test_a_name_is_the_whole_face(name: str) -> None:
    assert np.array_equal(shown(name), np.tile(0.7 * np.eye(8, dtype=np.float32)[column(name)], (3, 1)))


def test_a_mix_is_by_shares_and_what_they_lack_is_neutral() -> None:
    assert np.allclose(mix("happy:1.4, surprised:0.6")[[column("happy"), column("surprised")]], [0.7, 0.3])
    assert np.allclose(mix("happy:0.5")[[column("happy"), column("neutral")]], 0.5)
    assert np.allclose(mix("happy,sad")[[column("happy"), column("sad")]], 0.5)
    assert mix("Happiness").argmax() == column("happy") and mix(" JOY ").argmax() == column("happy")


def test_a_region_alone_leaves_the_others_neutral() -> None:
    activation = shown("happy:mouth:0.5")
    assert activation[MOUTH, column("happy")] == 0.5 and activation.sum() == 0.5


def test_a_region_replaces_what_the_whole_face_shows_there() -> None:
    activation = shown(["happy", "angry:brow:0.8"])
    assert np.array_equal(activation, shown("happy,angry:brow:0.8"))
    assert activation[BROW, column("angry")] == np.float32(0.8) and activation[BROW, column("happy")] == 0
    assert np.allclose(activation[[EYES, MOUTH], column("happy")], 0.7)


def test_a_region_without_a_strength_takes_the_intensity() -> None:
    assert shown("sad:brow", 0.4)[BROW, column("sad")] == np.float32(0.4)
    both = shown("sad:brow,fear:brow", 0.4)[BROW]
    assert np.allclose(both[[column("sad"), column("fear")]], 0.2)
    beside = shown("sad:brow:0.8,fear:brow", 0.7)[BROW]
    assert np.allclose(beside[[column("sad"), column("fear")]], [0.8, 0.2]), "only what room is left"


def test_a_region_is_laid_over_what_was_there() -> None:
    before = shown("sad")
    after = parse_emotion("happy:mouth:0.5").over(before, 0.7)
    assert np.array_equal(after[:MOUTH], before[:MOUTH]) and after[MOUTH, column("happy")] == 0.5
    assert np.array_equal(before, shown("sad")), "the argument is left alone"


@pytest.mark.parametrize(
    ("text", "needs"), [("happy", True), ("happy:mouth", True), ("happy:mouth:0.5", False), ("sad:brow:1,fear:eyes", True)]
)
def test_it_knows_whether_it_needs_an_intensity(text: str, needs: bool) -> None:
    emotion: Emotion = parse_emotion(text)
    assert emotion.needs_intensity is needs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hungry", "'hungry' is not known; choose from angry, contempt, disgusted, fear, happy, neutral, sad, surprised"),
        ("auto", "'auto' is not known; choose from"),
        ("hapy", "such as happy:0.7,surprised:0.3. Did you mean happy.$"),
        ("joyful", r"such as happy:0.7,surprised:0.3. Did you mean happy, or the prompt 'joyful'\?$"),
        ("Excited", r"Did you mean happy:0.6,surprised:0.4, or the prompt 'excited'\?$"),
        ("hapiness", r"Did you mean happy\?$"),
        ("furios", r"Did you mean angry, or the prompt 'furious'\?$"),
        ("", "'' is not known"),
        ("happy,", "'' is not known"),
        ("happy:much", "'happy:much'; give a share of 0 or more after the colon, .* or a region of brow, eyes, mouth"),
        ("happy:nose:0.5", "give a share of 0 or more .* region of brow, eyes, mouth"),
        ("happy:", "give a share of 0 or more"),
        ("happy:-1", "give a share of 0 or more"),
        ("happy:inf", "give a share of 0 or more"),
        ("happy:nan", "give a share of 0 or more"),
        ("happy:1_0", "give a share of 0 or more"),
        ("happy:0", "no share above 0; give for example happy:0.7,surprised:0.3"),
        ("happy:mouth:1.5", "'happy:mouth:1.5'; give a strength from 0 to 1 after the region, such as happy:mouth:0.5"),
        ("happy:mouth:-0.1", "give a strength from 0 to 1"),
        ("happy:mouth:", "give a strength from 0 to 1"),
        ("happy:mouth:0.5:0.5", "give a strength from 0 to 1"),
        ("happy:mouth:0.8,sad:mouth:0.7", "asks 1.5 of the mouth; give strengths that add up to at most 1"),
    ],
)
def test_what_it_cannot_read_it_says(text: str, message: str) -> None:
    with pytest.raises(EmotionError, match=message):
        parse_emotion(text)


def test_what_is_suggested_can_be_read() -> None:
    for mix, _, words in FEELINGS:
        assert parse_emotion(mix).mix is not None
        for word in set(words.split()) - {*EMOTIONS, *SYNONYMS}:
            with pytest.raises(EmotionError, match=rf"Did you mean {mix}, or the prompt '{word}'\?$"):
                parse_emotion(word)
            assert read_prompt(word)
