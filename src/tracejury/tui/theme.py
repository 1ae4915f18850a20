"""The colours: dark and sober, with one accent; every meaning also has a mark or a word."""

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="tracejury",
    primary="#7aa2c9",
    secondary="#5b7a99",
    accent="#d9a557",
    warning="#d9b45b",
    error="#e06c75",
    success="#7fb685",
    foreground="#d5d9e0",
    background="#14171c",
    surface="#191d23",
    panel="#232830",
    dark=True,
    variables={
        "border": "#3a414c",
        "border-blurred": "#2c323b",
        "block-cursor-background": "#2f4258",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "none",
        "footer-background": "#191d23",
        "footer-key-foreground": "#d9a557",
        "footer-description-foreground": "#9aa3b0",
        "input-selection-background": "#7aa2c9 35%",
    },
)
