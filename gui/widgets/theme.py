"""Light and dark theme: colours, font and spacing, and the style sheet made from them."""

from dataclasses import asdict, dataclass
from string import Template

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication

from faceswap.assets import asset_path

GAP = 8
"""Spacing unit in pixels: distances are multiples of it or of its half."""


@dataclass(frozen=True)
class Theme:
    """The colours of a theme; a and b are those of the two sides, faint is of what is not there."""

    page: str
    surface: str
    rail: str
    raised: str
    line: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_hover: str
    on_accent: str
    good: str
    warn: str
    bad: str
    a: str
    b: str


LIGHT = Theme(
    page="#f6f6f8",
    surface="#ffffff",
    rail="#ececf1",
    raised="#f1f1f5",
    line="#dcdce4",
    text="#1a1a20",
    muted="#62626f",
    faint="#8b8b98",
    accent="#4a45d6",
    accent_hover="#3a35bd",
    on_accent="#ffffff",
    good="#1d7f4e",
    warn="#9a6200",
    bad="#bf2f2f",
    a="#1f6fd1",
    b="#c2570c",
)

DARK = Theme(
    page="#17171b",
    surface="#202026",
    rail="#121215",
    raised="#2a2a32",
    line="#34343e",
    text="#ececf1",
    muted="#a0a0ae",
    faint="#74747f",
    accent="#8b87ff",
    accent_hover="#a19eff",
    on_accent="#121218",
    good="#57c78d",
    warn="#e3b04b",
    bad="#f07474",
    a="#6aa9f7",
    b="#f2995a",
)

_SHEET = Template("""
QWidget { color: $text; font-size: 13px; }
QMainWindow, #page, QDialog, QMessageBox { background: $page; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 4px; }
#rail { background: $rail; border: none; }
#rail QToolButton { border: none; border-radius: 8px; padding: 8px; color: $muted;
    font-size: 12px; background: transparent; }
#rail QToolButton:hover { background: $raised; color: $text; }
#rail QToolButton:checked { background: $surface; color: $accent; font-weight: 600; }
#rail QToolButton:focus { border: 2px solid $accent; padding: 6px; }
#rail QToolButton:disabled { color: $faint; }
#header { background: $surface; border: none; border-bottom: 1px solid $line; }
#card { background: $surface; border: 1px solid $line; border-radius: 12px; }
QToolButton#face { border: 1px solid $line; border-radius: 12px; padding: 8px;
    background: $surface; color: $text; }
QToolButton#face:hover, QToolButton#face:focus { border-color: $accent; }
QToolButton#face:disabled { color: $muted; }
#grid { padding: 8px; }
#grid::item { border-radius: 8px; padding-top: 4px; }
QListWidget::item:selected { background: $raised; color: $text; }
#drop { background: $surface; border: 2px dashed $line; border-radius: 12px; }
#drop[over="true"] { border-color: $accent; background: $raised; }
#drop:focus { border-color: $accent; }
#strip { background: $raised; border: none; border-radius: 8px; }
#picture { background: #0d0d10; border-radius: 8px; }
QLabel { background: transparent; }
QLabel[role="title"] { font-size: 24px; font-weight: 600; }
QLabel[role="heading"] { font-size: 15px; font-weight: 600; }
QLabel[role="muted"] { color: $muted; }
QLabel[role="small"] { color: $muted; font-size: 12px; }
QLabel[role="strong"] { font-weight: 600; }
QLabel[role="strong"]:disabled { color: $muted; }
QLabel[role="good"] { color: $good; }
QLabel[role="warn"] { color: $warn; }
QLabel[role="bad"] { color: $bad; }
QLabel[role="a"] { color: $a; font-weight: 700; }
QLabel[role="b"] { color: $b; font-weight: 700; }
QPushButton { background: $surface; border: 1px solid $line; border-radius: 8px;
    padding: 7px 14px; min-height: 18px; }
QPushButton:hover { background: $raised; }
QPushButton:pressed { background: $line; }
QPushButton:focus { border-color: $accent; }
QPushButton:disabled { color: $muted; background: $page; }
QPushButton[role="primary"] { background: $accent; color: $on_accent; border: 1px solid $accent;
    font-weight: 600; }
QPushButton[role="primary"]:hover { background: $accent_hover; }
QPushButton[role="primary"]:focus { border: 1px solid $text; }
QPushButton[role="primary"]:disabled { background: $line; border-color: $line; color: $muted; }
QPushButton[role="danger"] { color: $bad; }
QPushButton[role="link"] { background: transparent; border: none; color: $accent;
    padding: 4px 2px; text-align: left; }
QPushButton[role="link"]:hover, QPushButton[role="link"]:focus { text-decoration: underline; }
QPushButton[role="segment"] { border-radius: 8px; padding: 6px 14px; }
QPushButton[role="segment"]:checked { background: $accent; color: $on_accent;
    border-color: $accent; }
QPushButton[role="choice"] { border-radius: 12px; padding: 8px; min-height: 40px; }
QPushButton[role="choice"]:checked { border: 2px solid $accent; padding: 7px; }
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit { background: $surface;
    border: 1px solid $line; border-radius: 6px; padding: 5px 8px; min-height: 20px;
    selection-background-color: $accent; selection-color: $on_accent; }
QSpinBox, QDoubleSpinBox { max-height: 20px; }
QAbstractSpinBox QLineEdit, QComboBox QLineEdit { border: none; padding: 0 6px; min-height: 0;
    background: transparent; }
QSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::up-button,
QDoubleSpinBox::down-button { width: 0; height: 0; border: none; }
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus,
QPlainTextEdit:focus { border-color: $accent; }
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {
    color: $muted; background: $page; }
QComboBox::drop-down { border: none; width: 20px; }
QComboBox::down-arrow { image: url("$chevron"); width: 12px; height: 12px; margin-right: 8px; }
QComboBox QAbstractItemView, QMenu { background: $surface; border: 1px solid $line;
    selection-background-color: $raised; selection-color: $text; outline: none; }
QMenu { padding: 4px; }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 4px; }
QMenu::item:selected { background: $raised; }
QMenu::item:disabled { color: $muted; }
QCheckBox { spacing: 8px; background: transparent; }
QCheckBox::indicator { width: 16px; height: 16px; border: 1px solid $muted; border-radius: 4px;
    background: $surface; }
QCheckBox::indicator:checked { background: $accent; border: 1px solid $accent;
    image: url("$check"); }
QCheckBox:focus { color: $accent; }
QProgressBar { background: $line; border: none; border-radius: 4px; max-height: 8px;
    min-height: 8px; text-align: center; }
QProgressBar::chunk { background: $accent; border-radius: 4px; }
QSlider { background: transparent; min-height: 24px; }
QSlider::groove:horizontal { height: 4px; background: $line; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::sub-page:horizontal:disabled { background: $line; }
QSlider::handle:horizontal { width: 12px; height: 12px; margin: -6px 0; border-radius: 8px;
    background: $surface; border: 2px solid $accent; }
QSlider::handle:horizontal:focus { background: $accent; }
QSlider::handle:horizontal:disabled { border-color: $line; }
QListView, QTreeView { background: $surface; border: 1px solid $line; border-radius: 8px;
    outline: none; }
QListView:focus, QTreeView:focus { border-color: $accent; }
#jobs::item { padding: 12px; border-radius: 8px; }
#tasks::item { padding: 0 8px; border-radius: 8px; }
#tasks::item:disabled { color: $muted; padding-top: 8px; }
#jobs::item:selected, #tasks::item:selected { background: $raised; color: $text; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 2px; }
QScrollBar::handle:vertical { background: $line; border-radius: 4px; min-height: 32px; }
QScrollBar::handle:vertical:hover { background: $muted; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 2px; }
QScrollBar::handle:horizontal { background: $line; border-radius: 4px; min-width: 32px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: transparent; }
""")


_forced: list[Theme] = []


def force(theme: Theme | None) -> None:
    """Override the system's colour scheme, for screenshots and tests; None follows it again."""
    _forced[:] = [theme] if theme is not None else []


def current() -> Theme:
    """The theme of the system's current colour scheme."""
    if _forced:
        return _forced[0]
    dark = QApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    return DARK if dark else LIGHT


def apply(app: QApplication) -> None:
    """Apply the current theme to the whole application."""
    theme = current()
    app.setPalette(_palette(theme))
    drawings = {name: asset_path(f"gui/{name}.svg").as_posix() for name in ("chevron", "check")}
    app.setStyleSheet(_SHEET.substitute(asdict(theme) | drawings))


def follow_system(app: QApplication) -> None:
    """Set style, font and theme, and switch with the system's colour scheme."""
    app.setStyle("Fusion")
    font = QFont(app.font())
    font.setPixelSize(13)
    app.setFont(font)
    apply(app)
    app.styleHints().colorSchemeChanged.connect(lambda: apply(app))


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for name, color in (
        (role.Window, theme.page),
        (role.Base, theme.surface),
        (role.AlternateBase, theme.raised),
        (role.Button, theme.surface),
        (role.ToolTipBase, theme.raised),
        (role.WindowText, theme.text),
        (role.Text, theme.text),
        (role.ButtonText, theme.text),
        (role.ToolTipText, theme.text),
        (role.PlaceholderText, theme.muted),
        (role.Highlight, theme.accent),
        (role.HighlightedText, theme.on_accent),
        (role.Link, theme.accent),
    ):
        palette.setColor(name, QColor(color))
    disabled = QPalette.ColorGroup.Disabled
    for name in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(disabled, name, QColor(theme.muted))
    return palette


_TRACKS = ("#6aa9f7", "#f2995a", "#57c78d", "#d98be0", "#e3c14b", "#5fc9cf")


def face_color(track: int, person: int | None) -> str:
    """The colour of a person's faces; of a track whose person is not known, its own."""
    return _TRACKS[(track if person is None else person - 1) % len(_TRACKS)]
