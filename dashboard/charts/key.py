"""Which colour is which model: one line above charts that share their colours."""

from collections.abc import Iterable, Mapping
from html import escape

import panel as pn
from panel.viewable import Viewable, Viewer

from dashboard import words

_ITEM = (
    '<span style="white-space:nowrap;margin-right:16px;font-size:0.85rem">'
    '<span style="display:inline-block;width:12px;height:12px;border-radius:3px;background:{colour};'
    'margin-right:6px;vertical-align:-1px"></span>{name}</span> '
)


class Key(Viewer):
    """The line; empty until `show`."""

    def __init__(self) -> None:
        super().__init__()
        self._pane = pn.pane.HTML(sizing_mode="stretch_width", margin=(2, 0))

    def show(self, models: Iterable[str], colours: Mapping[str, str]) -> None:
        """Name these models beside their colours."""
        self._pane.object = "".join(
            _ITEM.format(colour=colours[model], name=escape(words.name(model))) for model in models
        )

    def __panel__(self) -> Viewable:
        """The pane."""
        return self._pane
