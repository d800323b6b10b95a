"""What the vision-language model is asked, in the words of the paper's appendix, and what is kept of its answer."""

from __future__ import annotations

PROMPT = (
    "Here is a current task description: {current_task}. Generate a very short, clear, and complete one-sentence "
    "describing the action performed by the robot arm (max 30 characters). Do not include unnecessary words.\n"
    "Be concise.\n"
    "Here is some examples: Pick up the cube and place it in the box, open the drawer and so on.\n"
    "Start directly with an action verb like “Pick”, “Place”, “Open”, etc.\n"
    "Similar to the provided examples, what is the main action done by the robot arm?"
)
QUOTES = "\"'“”‘’` "


def prompt_for(task: str) -> str:
    return PROMPT.format(current_task=task.strip().rstrip("."))


def sentence_of(answer: str) -> str:
    """The first line with words, without quotes, control characters and a full stop; "" where there is none."""
    for line in answer.splitlines():
        plain = " ".join("".join(c if c.isprintable() else " " for c in line).split())
        sentence = plain.strip(QUOTES).rstrip(".").strip(QUOTES)
        if any(c.isalnum() for c in sentence):
            return sentence
    return ""
