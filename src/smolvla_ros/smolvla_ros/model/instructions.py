"""What people say to a small arm on a table: the text that a new checkpoint's tokenizer is trained on."""

from __future__ import annotations

from itertools import product

COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "pink", "white", "black", "grey", "brown")
OBJECTS = ("cube", "block", "ball", "brick", "pen", "cup", "bottle", "tape", "battery", "sock", "spoon", "screw", "lid")
PLACES = ("box", "bin", "tray", "bowl", "plate", "drawer", "basket", "mug")
RELATIONS = ("in", "into", "on", "onto", "next to", "behind", "in front of", "left of", "right of")
PUTTING = ("put", "place", "drop", "move", "stack", "sort")
TAKING = ("pick up", "take", "grasp", "lift", "touch", "push", "pull", "reach for", "hand me", "point at")
WHOLE = (
    "open the gripper",
    "close the gripper",
    "go home",
    "open the drawer",
    "close the drawer",
    "wipe the table",
    "clear the table",
    "fold the towel",
    "stack the cubes",
    "sort the cubes by colour",
    "pick up the cube and put it in the box of the same colour",
    "put all the cubes in the box",
    "push the cube to the centre of the table",
    "turn the screw clockwise by 90 degrees",
    "move 10 centimetres forward, then 5 centimetres up",
)


def instructions() -> list[str]:
    """Several thousand instructions, always the same, each ended by the newline that SmolVLA expects."""
    putting = (
        f"{verb} the {colour} {thing} {relation} the {other} {place}"
        for (verb, relation), (colour, thing), (other, place) in product(
            zip(PUTTING * 3, RELATIONS * 2, strict=True), product(COLOURS, OBJECTS), zip(COLOURS, PLACES, strict=False)
        )
    )
    taking = (f"{verb} the {colour} {thing}" for verb, colour, thing in product(TAKING, COLOURS, OBJECTS))
    return [f"{text}\n" for text in (*WHOLE, *taking, *putting)]
