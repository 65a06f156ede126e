"""The application around the window."""

import gc
import signal
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTimer, QTranslator
from PySide6.QtWidgets import QApplication, QMessageBox

from faceswap import __version__
from gui.models.app_context import AppContext
from gui.models.settings import Settings
from gui.widgets import icons, theme
from gui.window import Window

CONSENT = "consent/shown"


def main(arguments: list[str]) -> int:
    """Open the window, with the project named on the command line if there is one."""
    app = make_app(arguments)
    desk = AppContext(Settings())
    window = Window(desk)
    window.show()
    if len(arguments) > 1:
        desk.open(Path(arguments[1]))
        window.go("footage")
    if not desk.settings.flag(CONSENT):
        ask_consent(window)
    signal.signal(signal.SIGINT, lambda *_: window.close())
    listen = QTimer(app)  # Python sees a signal only when it runs
    listen.timeout.connect(lambda: None)
    listen.start(500)
    gc.collect()
    gc.freeze()  # what is here stays: a full collection would take some 40 ms to find that out
    return app.exec()


def make_app(arguments: list[str]) -> QApplication:
    """The application with its name, look and language."""
    app = QApplication(arguments)
    QCoreApplication.setApplicationName("faceswap")
    QCoreApplication.setOrganizationName("faceswap")
    QCoreApplication.setApplicationVersion(__version__)
    app.setWindowIcon(icons.app_icon())
    theme.follow_system(app)
    translator = QTranslator(app)
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    if translator.load(QLocale(), "qtbase", "_", folder):
        app.installTranslator(translator)
    return app


def ask_consent(window: Window) -> None:
    """Say once what this may be used for; the window waits for it without blocking."""
    box = QMessageBox(window)
    box.setObjectName("consent")
    box.setWindowTitle("faceswap")
    box.setText(window.tr("Only with consent, and labelled"))
    box.setInformativeText(
        window.tr(
            "Use footage only of people who agreed to it. Do not use the result to deceive, to "
            "harass or for intimate pictures of anyone.\n\nEvery swap made here says in its "
            "metadata that it is synthetic. When you publish one, say so where people see it; "
            "in many countries the law asks for it."
        )
    )
    agree = box.addButton(window.tr("I understand"), QMessageBox.ButtonRole.AcceptRole)
    quit_ = box.addButton(window.tr("Quit"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(agree)

    def done() -> None:
        if box.clickedButton() is quit_:
            window.close()
        elif box.clickedButton() is agree:
            window.desk.settings.set_flag(CONSENT)
        box.deleteLater()

    box.finished.connect(done)
    box.open()
