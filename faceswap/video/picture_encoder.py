"""Encode pictures to packets that keep their timestamps and durations."""

from collections.abc import Sequence

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from faceswap.types import UInt8Image
from faceswap.video.color import RgbToYuv
from faceswap.video.encoded_pictures import EncodedPictures, encoded_colour
from faceswap.video.output_plan import OutputPlan
from faceswap.video.patch import Patch
from faceswap.video.reader import Footage


class PictureEncoder:
    """Encodes the pictures of ``plan`` in a stream that ``add_pictures`` made.

    last_pts: of the footage's last picture, in ticks; None before the first. end: seconds of the
    footage at which the pictures end so far.
    """

    def __init__(self, plan: OutputPlan, stream: VideoStream) -> None:
        self.last_pts: int | None = None
        self.end = 0.0
        self._plan, self._stream = plan, stream
        self._durations: dict[int, int] = {}
        self._pictures = EncodedPictures(plan)
        self._from_rgb = RgbToYuv(plan.pixel_format, encoded_colour(plan))

    def rgb(self, image: UInt8Image, pts: int, duration: int) -> "list[Packet[VideoStream]]":
        """Encode a frame, uint8 RGB (H, W, 3); returns the packets that are ready.

        Raises ValueError when its size differs or ``pts`` does not increase.
        """
        info = self._plan.info
        if image.shape != (info.height, info.width, 3):
            raise ValueError(f"frame {image.shape} in a video of {info}")
        self._check(pts)
        return self._encoded(self._pictures.padded(self._from_rgb(image)), pts, duration)

    def footage(
        self, footage: Footage, patches: Sequence[Patch] = ()
    ) -> "list[Packet[VideoStream]]":
        """Encode a stored picture, which may be changed, with ``patches`` blended in."""
        self._check(footage.pts)
        picture = self._pictures.of_footage(footage.picture, patches)
        return self._encoded(picture, footage.pts, footage.duration)

    def rest(self) -> "list[Packet[VideoStream]]":
        """The packets that are left when there are no more pictures."""
        return self._timed(self._stream.encode(None))

    def _check(self, pts: int) -> None:
        if self.last_pts is not None and pts <= self.last_pts:
            raise ValueError(f"timestamp {pts} after {self.last_pts}; they must increase")
        self.last_pts = pts

    def _encoded(self, picture: VideoFrame, pts: int, duration: int) -> "list[Packet[VideoStream]]":
        base = self._plan.info.time_base
        self.end = float((pts + duration) * base)
        pts -= round(self._plan.span.origin / base)
        picture.pts, picture.time_base = pts, base
        if duration:
            self._durations[pts] = duration
        return self._timed(self._stream.encode(picture))

    def _timed(self, packets: "list[Packet[VideoStream]]") -> "list[Packet[VideoStream]]":
        for packet in packets:
            if packet.pts is not None and packet.pts in self._durations:
                packet.duration = self._durations.pop(packet.pts)
        return packets
