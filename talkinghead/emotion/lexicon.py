"""The words that `prompt` understands: what is felt and how strongly, what changes that, and what puts it in order.

Made by hand for this project, in the sense of EmoTalker (arXiv 2402.01422): an emotion, a strength, a place in time. English.
Knows words; the grammar that joins them is `prompt`'s.
"""

from __future__ import annotations

from typing import Final

FEELINGS: Final[tuple[tuple[str, float, str], ...]] = (
    ("happy", 0.7,
     "happy joy joyful joyous cheerful cheery cheer glad smile laugh laughter merry jolly delight sunny festive "
     "gleeful glee lighthearted hilarious cracking-up"),
    ("happy", 1.0,
     "overjoyed ecstatic elated jubilant thrilled euphoric euphoria exhilarated ecstasy bliss blissful triumphant "
     "victorious radiant"),
    ("happy", 0.5,
     "pleased amused amusement amusing grin playful friendly warm fond affectionate affection loving love tender proud "
     "pride chuckle chuckling enjoy kind flirt flirty flirtatious gratitude grateful thankful encouraging encouraged "
     "optimistic upbeat beam giggle giggling teasing charming charmed"),
    ("happy:0.6", 0.5,
     "content contented satisfied relieved relief reassured reassuring confident confidence hopeful hope convinced "
     "peaceful peace comfort comforted comforting gentle welcoming sympathetic compassionate caring supportive "
     "trusting polite acceptance"),
    ("happy:0.6,surprised:0.4", 0.8,
     "excited exciting excitement enthusiastic enthusiasm eager amazed amazing amazement awestruck awe impressed"),
    ("angry", 0.7,
     "angry anger mad cross hostile hostility scowl scowling indignant indignation resentful resentment offended "
     "aggressive aggression defiant defiance snarl accusing threatening bad-mood gritted"),
    ("angry", 1.0,
     "furious fury rage raging enraged livid outraged outrage seething incensed irate explode wrath wrathful pissed "
     "fuming screaming"),
    ("angry", 0.45,
     "annoyed annoying annoyance irritated irritation irritable frustrated frustrating frustration impatient "
     "impatience stern grumpy strict displeased determined determination tense serious severe fed-up glare exasperated "
     "exasperation bossy stubborn"),
    ("angry:0.5,sad:0.3,contempt:0.2", 0.6,
     "jealous jealousy envious envy bitter bitterness"),
    ("angry:0.6,disgusted:0.4", 0.9,
     "hate hatred hateful loathing loathe"),
    ("contempt", 0.7,
     "contempt contemptuous scorn scornful disdain disdainful sneer haughty condescending arrogant arrogance "
     "dismissive derisive"),
    ("contempt", 0.5,
     "sarcastic sarcasm sardonic cynical smug skeptical sceptical suspicious suspicion distrustful bored boring "
     "boredom unimpressed doubtful mocking mockery superior ironic irony snobbish eye-roll jaded"),
    ("contempt:0.6,happy:0.4", 0.6,
     "smirk cheeky mischievous mischief sly wry snicker snigger"),
    ("disgusted", 0.7,
     "disgusted disgust disgusting queasy nauseated nauseous nausea repelled gross grossed-out distaste yuck "
     "creeped-out"),
    ("disgusted", 1.0,
     "revolted revolting repulsed repulsive sickened appalled revulsion"),
    ("fear", 0.7,
     "fear fearful scared scary afraid frightened frightening fright alarmed alarm tremble cower dread dreading "
     "spooked threatened"),
    ("fear", 1.0,
     "terrified terrifying terror panicked panic petrified horror freaked-out hysterical"),
    ("fear:0.8,disgusted:0.2", 1.0,
     "horrified horrifying"),
    ("fear", 0.45,
     "nervous nervousness anxious anxiety worried worry worrying uneasy unease apprehensive concerned concern timid "
     "insecure shy stressed hesitant unsure embarrassed awkward mortified"),
    ("neutral", 0.7,
     "neutral calm calmness composed blank expressionless relaxed deadpan emotionless stoic impassive serene serenity "
     "unmoved indifferent indifference nonchalant unbothered matter-of-fact"),
    ("sad", 0.7,
     "sad sadness unhappy unhappiness sorrow sorrowful gloomy gloom tearful tear cry weep mournful mourning mourn "
     "melancholy melancholic grief grieve hurt dejected downcast miserable misery upset depressed depressing lonely "
     "loneliness heavy-hearted crestfallen"),
    ("sad", 1.0,
     "heartbroken heartbreaking devastated despair despairing sob desperate desperation hopeless anguish anguished "
     "wail bawl"),
    ("sad", 0.5,
     "disappointed disappointing disappointment wistful regret regretful guilty guilt ashamed shame remorse remorseful "
     "sorry apologetic pity nostalgic nostalgia tired weary exhausted discouraged dismayed pensive sulk pout resigned "
     "defeated somber sombre solemn"),
    ("sad:0.6,disgusted:0.4", 0.7,
     "pain pained painful suffering agony"),
    ("surprised", 0.7,
     "surprised surprise startled wide-eyed astonished astonishment wonder gasp dumbfounded incredulous disbelief "
     "unbelieving"),
    ("surprised", 1.0,
     "stunned shocked shock scandalised scandalized flabbergasted thunderstruck speechless"),
    ("surprised", 0.4,
     "curious curiosity intrigued puzzled perplexed confused confusion bewildered interested"),
)  # fmt: skip
"""Mix, strength, words. A word's other forms are found by their endings (`prompt`)."""

FACTORS: Final[dict[str, float]] = {
    factor_of: factor
    for factor, words in (
        (0.25, "barely hardly scarcely faintly faint imperceptibly"),
        (0.45, "slightly lightly subtly subtle trace hint touch"),
        (0.5, "quietly quiet softly soft mildly mild gently restrained suppressed hidden secretly"),
        (0.6, "less somewhat trying half"),
        (0.8, "rather fairly quite coldly cold moderately almost"),
        (1.2, "more so such pretty openly"),
        (1.3, "very really truly deeply deep strongly strong great greatly highly too fully big loud loudly full overwhelmed"),
        (1.6, "extremely utterly totally completely absolutely incredibly intensely intense wildly violently terribly "
         "insanely overwhelmingly pure hugely uncontrollably"),
    )
    for factor_of in words.split()
}  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEGATIONS: Final = _words(
    "not no never neither nor without nobody isnt dont doesnt wasnt arent aint didnt cannot cant wouldnt wont stop stops"
)
CONTRASTS: Final = _words("and yet just only instead with while")
"""A negation ends here: "not angry and sad" is sad."""

THOUGH: Final = _words("but though although however")
"""A clause begins here, of the same moment."""

AFTER_THAT: Final = _words(
    "then next later finally eventually afterwards afterward until becoming becomes become turning turns turn fading fades "
    "growing grows suddenly gradually lastly ends ending"
)
"""What follows comes after what went before."""

LATER: Final = _words("later finally eventually afterwards afterward lastly")
"""These say so wherever in their clause they stand: "nervous at first, confident finally"."""

EARLIER: Final = _words("first initially originally starts starting begins beginning")
"""What follows the clause of these comes after it."""

SUDDEN: Final = _words("suddenly abruptly instantly")
GRADUAL: Final = _words("gradually slowly increasingly growing grows fading fades")
BRIEF: Final = _words("briefly moment flash momentarily flicker")

PHRASES: Final[dict[str, str]] = {
    "a little bit": "slightly",
    "a little": "slightly",
    "a bit": "slightly",
    "a touch": "slightly",
    "kind of": "somewhat",
    "sort of": "somewhat",
    "no longer": "not",
    "any more": "",
    "than before": "",
    "not only": "",
    "no emotion": "neutral",
    "without emotion": "neutral",
    "could not be": "very",
    "after which": "then",
    "cant stop": "",
    "cant help": "",
    "cannot help": "",
    "trying not to": "barely",
    "holding back": "barely",
    "fighting back": "barely",
    "at first": "first",
    "to begin with": "first",
    "in the beginning": "first",
    "in the end": "finally",
    "at the end": "finally",
    "at last": "finally",
    "by the end": "finally",
    "all of a sudden": "suddenly",
    "followed by": "then",
    "gives way to": "then",
    "giving way to": "then",
    "changing to": "then",
    "easing into": "then",
    "into tears": "tears",
    "pissed off": "pissed",
    "freaked out": "freaked-out",
    "freaking out": "freaked-out",
    "grossed out": "grossed-out",
    "creeped out": "creeped-out",
    "fed up": "fed-up",
    "wide eyed": "wide-eyed",
    "matter of fact": "matter-of-fact",
    "heavy heart": "heavy-hearted",
    "broken voice": "tearful",
    "broken heart": "heartbroken",
    "bad mood": "bad-mood",
    "cracking up": "cracking-up",
    "rolls her eyes": "eye-roll",
    "rolls his eyes": "eye-roll",
    "rolling her eyes": "eye-roll",
    "rolling his eyes": "eye-roll",
}
"""Several words that are read as one."""

IGNORED: Final = _words(
    "i a an the is are am be being been was were he she it they you we his her their my your of in on at to by from for as or "
    "like look looks looking feel feels feeling seem seems sound sounds sounding speak speaks speaking talk talks talking say "
    "says person speaker man woman voice face emotion mood tone way this that what who sees about out again off up into "
    "through start end someone something have has had he's she's it's i'm time most even"
)
"""Words that say nothing here; they are not named as unknown."""
