"""The window's icons: SVG strokes, coloured by the theme."""

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from gui.widgets import theme

_STROKES = {
    "start": '<path d="M4 11 12 4l8 7v8a1 1 0 0 1-1 1h-4v-6H9v6H5a1 1 0 0 1-1-1z"/>',
    "footage": '<rect x="3" y="5" width="18" height="14" rx="2"/><path d="M8 5v14M16 5v14M3 '
    '9.7h5M3 14.3h5M16 9.7h5M16 14.3h5"/>',
    "faces": '<rect x="3" y="3" width="18" height="18" rx="5"/><path d="M8.5 9.5v.5M15.5 9.5v.5'
    'M8 15c1.2 1.2 2.5 1.7 4 1.7s2.800-.5 4-1.700"/>',
    "people": '<circle cx="9" cy="9" r="3.500"/><path d="M3 19.500c.5-3.500 2.800-5.500 6-5.500'
    "s5.500 2 6 5.500M15.500 5.800a3.500 3.500 0 0 1 0 6.400M17.500 14.500c2"
    ' .7 3.200 2.400 3.500 5"/>',
    "train": '<path d="M4 19V5M4 19h16M7.500 8c2 6 5 7.500 12.500 8"/>',
    "convert": '<rect x="3" y="4" width="18" height="16" rx="2"/><path d="M12 4v16M15 12h3M6 '
    '12h3M16.500 10.500 18 12l-1.500 1.500M7.500 10.500 6 12l1.500 1.500"/>',
    "lab": '<path d="M9 3.500h6M10 3.500v6L4.800 18a1.700 1.700 0 0 0 1.500 2.500h11.400a1.700 '
    '1.700 0 0 0 1.500-2.500L14 9.500v-6M7.500 14.500h9"/>',
    "jobs": '<path d="M9 6h11M9 12h11M9 18h11M4 6l.8.8L6.300 5.300M4 12l.8.8 1.500-1.500M4 18'
    'l.8.8 1.500-1.500"/>',
    "play": '<path d="M8 5.500v13l10.500-6.500z"/>',
    "pause": '<path d="M9 6v12M15 6v12"/>',
    "back": '<path d="M15 6l-6 6 6 6"/>',
    "forward": '<path d="M9 6l6 6-6 6"/>',
}

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{}" '
    'stroke-width="1.700" stroke-linecap="round" stroke-linejoin="round">{}</svg>'
)

_APP = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
<rect width="64" height="64" rx="14" fill="#26263a"/>
<ellipse cx="25" cy="32" rx="14" ry="18" fill="#6aa9f7"/>
<ellipse cx="39" cy="32" rx="14" ry="18" fill="#f2995a" fill-opacity=".82"/>
</svg>"""


def icon(name: str) -> QIcon:
    """The icon ``name``: muted (actions: text colour), in the accent colour where checked."""
    colors = theme.current()
    made = QIcon()
    plain = colors.text if name in ("play", "pause") else colors.muted
    for state, color in ((QIcon.State.Off, plain), (QIcon.State.On, colors.accent)):
        made.addPixmap(_pixmap(_SVG.format(color, _STROKES[name]), 24), state=state)
        made.addPixmap(_pixmap(_SVG.format(color, _STROKES[name]), 48), state=state)
    return made


def app_icon() -> QIcon:
    """The application icon."""
    made = QIcon()
    for size in (16, 32, 64, 128, 256):
        made.addPixmap(_pixmap(_APP, size))
    return made


def _pixmap(svg: str, size: int) -> QPixmap:
    pixmap = QPixmap(QSize(size, size))
    pixmap.fill(QColor(Qt.GlobalColor.transparent))
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap
