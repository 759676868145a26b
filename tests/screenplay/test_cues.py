"""A line's text: words, stress, pauses, and what acts at which word."""

import pytest

from talkinghead.screenplay.cues import Cue, CueError, Script, read_script


def acts(script: Script) -> list[tuple[int, str]]:
    return [(cue.word, cue.name) for cue in script.cues]


def test_marks_are_taken_out_and_point_at_words() -> None:
    script = read_script("I *told* you. [smile] It [nod]works! [pause 0.5] [look left] Really? [blink]")
    assert script.words == ("I", "told", "you.", "It", "works!", "Really?")
    assert script.stressed == {1} and script.pauses == {5: 0.5}
    assert acts(script) == [(3, "smile"), (4, "nod"), (5, "left"), (6, "blink")]
    assert script.text == "I told you. It works! Really?"


def test_two_stressed_words_and_a_stressed_syllable() -> None:
    assert read_script("You *two men*, un*believ*able").stressed == {1, 2, 3}
    assert read_script("You *two men*, un*believ*able").words == ("You", "two", "men,", "unbelievable")


def test_an_emotion_changes_at_a_word_by_notation_or_by_words() -> None:
    script = read_script("Well. [sad 0.8] No. [happy:0.7,surprised:0.3] Yes! [quietly furious] Never.")
    assert [(c.word, c.kind, c.name, c.strength) for c in script.cues] == [
        (1, "emotion", "sad", 0.8),
        (2, "emotion", "happy:0.7,surprised:0.3", None),
        (3, "emotion", "quietly furious", None),
    ]


def test_a_cue_before_a_pause_acts_before_it() -> None:
    before, after = read_script("Go. [smile] [pause 1] Now.").cues, read_script("Go. [pause 1] [smile] Now.").cues
    assert before[0].lead_s == 1 and after[0].lead_s == 0 and before[0].word == after[0].word == 1
    between = read_script("[pause 0.4] [nod] [pause 0.6]").cues
    assert between == (Cue(0, "gesture", "nod", lead_s=0.6),)


def test_strength_and_time_in_any_order() -> None:
    assert read_script("[smile 0.5 2s] Hi").cues == read_script("[smile 2s 0.5] Hi").cues
    assert read_script("[smile 0.5 2s] Hi").cues == (Cue(0, "expression", "smile", 0.5, 2.0),)


def test_signs_that_stand_alone_are_no_words_and_ampersands_are() -> None:
    assert read_script("No - never [nod] , ok").words == ("No -", "never,", "ok")
    assert read_script("you & me").words == ("you", "&", "me")
    assert read_script("[smile] - Hello").words == ("- Hello",)


def test_escaped_marks_are_read() -> None:
    assert read_script(r"Press \[Enter\] 2 \* 3").words == ("Press", "[Enter]", "2 *", "3")


def test_people_of_the_cast_can_be_looked_at() -> None:
    (cue,) = read_script("[look at ana maria] Hi", ("Ana Maria", "Bob")).cues
    assert (cue.kind, cue.name) == ("look", "Ana Maria")


@pytest.mark.parametrize(
    ("text", "inside", "message"),
    [
        ("Hi [smle]", "[smle]", r"\[smle\] is no cue; give smile, .*nod.*Did you mean smile\?"),
        ("Hi []", "[]", "is empty; give smile"),
        ("Hi [smile", "[smile", "has no ']' that belongs to it; close it"),
        ("Hi ] you", "] you", r"has no '\[' that belongs to it"),
        ("2 * 3", "* 3", r"has no '\*' that belongs to it"),
        ("[pause]", "[pause]", r"give seconds, 0 to 30, such as \[pause 0.5\]"),
        ("[pause 31]", "[pause 31]", "give seconds, 0 to 30"),
        ("[pause 20] [pause 20]", "[pause", "pauses of 40 s in one place"),
        ("[smile 1.5] Hi", "[smile 1.5]", "strength 1.5 is out of range; give 0 to 1"),
        ("[nod 0.05s] Hi", "[nod 0.05s]", "0.05 s is out of range; give 0.1s to 30s"),
        ("[smile 1 1] Hi", "[smile 1 1]", "too many numbers"),
        ("[look behind] Hi", "[look behind]", "look left, right, up, down, camera, away, at Bob"),
        ("[look bop] Hi", "[look bop]", "Did you mean look bob"),
        ("[sad 2s] Hi", "[sad 2s]", "an emotion stays until the next; leave the time out"),
        ("[happy:mouth:0.5 0.5] Hi", "[happy:mouth:0.5 0.5]", "says every strength itself; leave 0.5 out"),
        ("[angry:foo] Hi", "[angry:foo]", "give a share of 0 or more after the colon"),
    ],
)
def test_what_is_no_cue(text: str, inside: str, message: str) -> None:
    with pytest.raises(CueError, match=message) as error:
        read_script(text, ("Bob",))
    assert error.value.inside == inside
