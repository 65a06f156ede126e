"""``doctor``'s smoke tests of the dependencies: the smallest run that shows that each works.

They find incompatible versions now instead of an hour into a job.
"""

import importlib
import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trial:
    """A smoke test. run: its result as text, or an error. consequence: what fails without it."""

    title: str
    consequence: str
    run: Callable[[], str]


def try_video() -> str:
    """Write a short video with sound and read it back.

    Raises FaceswapError, or any error of PyAV where its version is incompatible.
    """
    import numpy as np

    from faceswap.errors import InputError
    from faceswap.video.compare import audio_digests
    from faceswap.video.generated_audio import SOUND_RATE, generated_video_info, write_audio
    from faceswap.video.reader import VideoReader
    from faceswap.video.writer import VideoWriter

    count, rate = 5, 25
    x = np.linspace(0, 255, 64, dtype=np.float32)
    # A grey ramp that gets lighter, so that swapped frames or a flip would be noticed.
    images = [
        np.repeat(np.tile((x * (n + 1) / count).astype(np.uint8), (48, 1))[..., None], 3, axis=2)
        for n in range(count)
    ]
    with tempfile.TemporaryDirectory(prefix="faceswap-doctor-") as folder:
        sound, path = Path(folder) / "sound.mp4", Path(folder) / "trial.mp4"
        write_audio(sound, np.zeros(SOUND_RATE * count // rate, np.float32))
        with VideoWriter(path, generated_video_info(sound, 64, 48, count, rate)) as writer:
            for number, image in enumerate(images):
                writer.write(image, number, 1)
        with VideoReader(path) as video:
            frames = list(video)
        # x264 at the default quality keeps such a ramp within two levels; 6 leaves a margin.
        if [frame.time for frame in frames] != [n / rate for n in range(count)] or any(
            np.abs(frame.image.astype(int) - image).mean() > 6
            for frame, image in zip(frames, images, strict=True)
        ):
            raise InputError("The frames read differ from those written.")
        if audio_digests(path) != audio_digests(sound):
            raise InputError("The sound read differs from that written.")
    return f"{count} frames with sound written and read"


def try_faces() -> str:
    """Run the detector on grey pictures of two sizes, and the landmarker on a grey crop.

    OpenCV 4 runs the detector's network wrongly after a change of size and then finds faces
    everywhere. Raises ValueError in that case, or any error of the networks.
    """
    import numpy as np

    from faceswap.faces.align import mean_face
    from faceswap.faces.detect import make_detector
    from faceswap.faces.landmarks import make_landmarker

    detector = make_detector()
    for height in (640, 480, 640):
        if detector.detect(np.full((height, 640, 3), 128, np.uint8)):
            raise ValueError("the detector finds faces in a gray picture")
    guess = (mean_face().points[:68, :2] * 30 + 64).astype(np.float32)
    located = make_landmarker().locate(np.full((128, 128, 3), 128, np.uint8), [guess])
    if not np.isfinite(located[0].points).all():
        raise ValueError("the landmarks are not finite")
    return "detector and landmarker run"


def try_imports(*modules: str) -> Callable[[], str]:
    """A smoke test that imports ``modules``."""

    def run() -> str:
        for module in modules:
            importlib.import_module(module)
        return "its packages can be imported"

    return run


def trials() -> tuple[Trial, ...]:
    """All smoke tests; that of the window only where Qt is installed."""
    always = (
        Trial("video", "no video can be written or read", try_video),
        Trial("faces", "no face can be found", try_faces),
        # The import sets up the compilation of the rasteriser.
        Trial(
            "rendering",
            "no sample can be rendered",
            try_imports("faceswap.synthetic.rasteriser", "scipy.spatial"),
        ),
        Trial("curves", "training cannot write its curves", try_imports("torch.utils.tensorboard")),
        Trial("lab", "the lab cannot run", try_imports("sklearn.decomposition", "scipy.signal")),
    )
    if importlib.util.find_spec("PySide6") is None:
        return always
    # Many servers lack the system libraries that Qt's wheels need.
    qt = try_imports("PySide6.QtWidgets", "PySide6.QtSvg", "pyqtgraph")
    return (*always, Trial("window", "the window cannot open", qt))
