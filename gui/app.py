"""Create and run the Qt application."""

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
    """Open the window, with the project given on the command line if there is one."""
    app = make_app(arguments)
    context = AppContext(Settings())
    window = Window(context)
    window.show()
    if len(arguments) > 1:
        context.open(Path(arguments[1]))
        window.go("footage")
    if not context.settings.flag(CONSENT):
        ask_consent(window)
    signal.signal(signal.SIGINT, lambda *_: window.close())
    # Python handles signals only while its interpreter runs, so wake it twice a second.
    wake_up = QTimer(app)
    wake_up.timeout.connect(lambda: None)
    wake_up.start(500)
    gc.collect()
    gc.freeze()  # long-lived objects: scanning them would add 40 ms to every full collection
    return app.exec()


def make_app(arguments: list[str]) -> QApplication:
    """Create the application with its name, theme and translations."""
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
    """Show the consent dialogue once: modal to the window, without blocking the event loop."""
    box = QMessageBox(window)
    box.setObjectName("consent")
    box.setWindowTitle("faceswap")
    box.setText(window.tr("Use it only with consent, and label the result"))
    box.setInformativeText(
        window.tr(
            "Use footage only of people who agreed to it. Do not use the result to deceive or "
            "harass anyone, or for intimate pictures of anyone.\n\nEvery exported video is marked "
            "as synthetic in its metadata. When you publish one, also say so where viewers see it; "
            "many countries require this by law."
        )
    )
    agree = box.addButton(window.tr("I understand"), QMessageBox.ButtonRole.AcceptRole)
    quit_ = box.addButton(window.tr("Quit"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(agree)

    def done() -> None:
        if box.clickedButton() is quit_:
            window.close()
        elif box.clickedButton() is agree:
            window.context.settings.set_flag(CONSENT)
        box.deleteLater()

    box.finished.connect(done)
    box.open()
