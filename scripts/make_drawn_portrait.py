"""Make assets/drawn_*.png: portraits that show nobody real, modelled, groomed and rendered by this script alone.

Needs Blender as a Python module and ICT-FaceKit's light model as one npz (see data/README for its arrays):

    pip install "bpy==5.0.1" scipy "opencv-python-headless<5"
    python scripts/make_drawn_portrait.py woman --kit ict_facekit.npz -o assets/drawn_woman.png
    python scripts/make_drawn_portrait.py man --kit ict_facekit.npz -o assets/drawn_man.png

A portrait takes some minutes on two cores; `--size 320 --samples 16` gives a sketch.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import drawn_clothes
import drawn_hair
import drawn_head
import drawn_scene
import numpy as np

WOMAN: dict[str, Any] = {
    "identity": {0: 1.3, 3: -0.5},
    "seed": 2,
    "spread": 0.5,
    "expression": {"mouthSmile": 0.4, "eyeBlink": 0.14, "eyeSquint": 0.15, "cheekSquint": 0.1},
    "iris": "#4d6350",
    "wardrobe": {"colour": "#31584f", "collar": "crew", "width": 0.92},
    "brow": {"count": 520, "thickness_cm": 0.34, "drop_cm": 0.6, "root_cm": 0.008},
    "lash_cm": 0.75,
    "hair_look": {"Melanin": 0.62, "Melanin Redness": 0.55, "Roughness": 0.32, "Radial Roughness": 0.35, "Random Color": 0.25},
    "look": {
        "skin": "#e2b094", "skin_red": "#c9705c", "blush": 0.34, "freckle": "#a5673f", "freckles": 0.5, "lid": "#a2604f",
        "eye_shadow": 0.45, "stubble_tone": "#6b5a50", "stubble": 0.0, "hair_skin": "#6a4430", "lips": "#b84a4e",
        "lip_colour": 0.8, "lip_roughness": 0.3, "backdrop": "#c9b9a4", "backdrop_edge": "#6a5c52",
    },
}  # fmt: skip
MAN: dict[str, Any] = {
    "identity": {0: -0.6},
    "seed": 5,
    "spread": 0.5,
    "expression": {"mouthSmile": 0.32, "eyeBlink": 0.06, "eyeSquint": 0.15, "cheekSquint": 0.1},
    "iris": "#3f2817",
    "wardrobe": {"colour": "#2b3a55", "collar": "crew", "width": 1.1},
    "brow": {"count": 480, "thickness_cm": 0.42, "drop_cm": 0.55, "root_cm": 0.009},
    "lash_cm": 0.5,
    "hair_look": {"Melanin": 0.93, "Melanin Redness": 0.3, "Roughness": 0.35, "Radial Roughness": 0.4, "Random Color": 0.15},
    "look": {
        "skin": "#bd8562", "skin_red": "#a5573d", "blush": 0.25, "freckle": "#8a5536", "freckles": 0.1, "lid": "#83503a",
        "eye_shadow": 0.25, "stubble_tone": "#4a3a33", "stubble": 0.55, "hair_skin": "#2b1d15", "lips": "#94534a",
        "lip_colour": 0.6, "lip_roughness": 0.42, "backdrop": "#93a7b0", "backdrop_edge": "#33444f",
    },
}  # fmt: skip
PEOPLE = {"woman": WOMAN, "man": MAN}
FRAME_CM = 35.0


def build(person: dict[str, Any], who: str, kit: Path, hairs: float) -> None:
    """Everything in the picture, for one person."""
    head = drawn_head.load(kit, person["identity"], person["seed"], person["spread"], person["expression"])
    rng = np.random.default_rng(11)
    surface = drawn_hair.Surface.of(head)
    drawn_scene.start()
    hairline = drawn_hair.HAIRLINE_WOMAN if who == "woman" else drawn_hair.HAIRLINE_MAN
    drawn_scene.add_skin(head, person["look"], drawn_hair.scalp(head, hairline))
    drawn_scene.add_eyes(head, person["iris"])
    if who == "woman":
        hair = drawn_hair.parted_long(head, drawn_hair.Surface.of(head, ears=False), rng, int(24000 * hairs), 17.5)
    else:
        hair = drawn_hair.short_swept(head, surface, rng, int(30000 * hairs))
        whiskers = drawn_hair.beard(head, surface, rng, int(11000 * hairs), 0.45)
        drawn_scene.add_hair("beard", whiskers, person["hair_look"], 0.008, 0.004)
    thicker = hairs**-0.5
    drawn_scene.add_hair("hair", hair, person["hair_look"], 0.014 * thicker, 0.006 * thicker)
    brow = person["brow"]
    hairs_of_brow = drawn_hair.brows(head, surface, rng, brow["count"], brow["thickness_cm"], brow["drop_cm"])
    drawn_scene.add_hair("brows", hairs_of_brow, person["hair_look"], brow["root_cm"], 0.003)
    drawn_scene.add_hair(
        "lashes", drawn_hair.lashes(head, rng, 150, 70, person["lash_cm"]), person["hair_look"] | {"Melanin": 1.0}, 0.014, 0.003
    )
    wear = person["wardrobe"]
    drawn_scene.add_sweater(
        *drawn_clothes.sweater(wear["collar"], float(head.vertices[head.landmarks[8], 1]), wear["width"]), wear["colour"]
    )
    middle = head.vertices[head.landmarks].mean(0)
    drawn_scene.add_stage(person["look"], (0.0, float(middle[1]) + 1.3, 4.0), FRAME_CM)


def main() -> int:
    """Parse the command line and render one portrait."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", choices=sorted(PEOPLE))
    parser.add_argument("--kit", type=Path, required=True, help="ICT-FaceKit's light model, one npz")
    parser.add_argument("--size", type=int, default=768, help="side of the picture in px")
    parser.add_argument("--samples", type=int, default=48, help="rays a pixel")
    parser.add_argument("--hairs", type=float, default=1.0, help="fraction of the hairs, for sketches")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    build(PEOPLE[arguments.who], arguments.who, arguments.kit, arguments.hairs)
    drawn_scene.render(arguments.output.resolve(), arguments.size, arguments.samples, arguments.threads)
    sys.stdout.write(f"{arguments.output}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
