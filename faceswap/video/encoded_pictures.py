"""From the stored pictures of footage to those that an encoder takes."""

from collections.abc import Sequence
from dataclasses import replace

from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from faceswap.video.color import TO_RGB
from faceswap.video.info import Colour, VideoInfo
from faceswap.video.output_plan import OutputPlan
from faceswap.video.patch import Patch
from faceswap.video.pixel_formats import PixelFormat, planar_format
from faceswap.video.planes import PatchBlender, plane

_FROM_RGB = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


class EncodedPictures:
    """Blends patches into pictures, and brings them to the encoder's format and size."""

    def __init__(self, plan: OutputPlan) -> None:
        self._plan = plan
        self._blender = PatchBlender(plan.info)
        self._planar = PixelFormat.named(planar_format(plan.info.pixel_format))
        self._reformatter = VideoReformatter()

    def of_footage(self, picture: VideoFrame, patches: Sequence[Patch]) -> VideoFrame:
        """The picture to encode; converted only where the encoder can't take the footage's format.

        ``picture``: in the stored size and planar format of the plan's info; it may be changed.
        """
        return self.padded(self._converted(self._blender(picture, list(patches))))

    def _converted(self, picture: VideoFrame) -> VideoFrame:
        info, colour = self._plan.info, encoded_colour(self._plan)
        if picture.format.name != self._plan.pixel_format:
            rgb = self._planar.rgb
            to_rgb = self._plan.pixel_format.startswith(("gbr", "bgr"))
            source = ColorRange.JPEG if rgb else info.colour.range
            picture = self._reformatter.reformat(
                picture,
                format=self._plan.pixel_format,
                src_color_range=source,
                dst_color_range=ColorRange.JPEG if to_rgb else colour.range,
                src_colorspace=None if rgb else info.colour.conversion(info.width, info.height),
                dst_colorspace=None if to_rgb else colour.conversion(info.width, info.height),
                interpolation=_FROM_RGB if rgb else TO_RGB,
            )
        picture.colorspace, picture.color_primaries = colour.matrix, colour.primaries
        picture.color_trc, picture.color_range = colour.transfer, int(colour.range)
        return picture

    def padded(self, picture: VideoFrame) -> VideoFrame:
        """The picture in the encoded size: its last row and column repeated."""
        if (picture.width, picture.height) == self._plan.size:
            return picture
        larger = VideoFrame(*self._plan.size, picture.format.name)
        for number in range(len(larger.planes)):
            values, wide = plane(picture, number), plane(larger, number)
            rows, columns = values.shape
            wide[:rows, :columns] = values
            wide[rows:, :columns] = values[-1:]
            wide[:, columns:] = wide[:, columns - 1 : columns]
        for tag in ("colorspace", "color_primaries", "color_trc", "color_range"):
            setattr(larger, tag, getattr(picture, tag))
        return larger


def encoded_colour(plan: OutputPlan) -> Colour:
    """Colour tags of the encoded pictures: the footage's, except where YUV becomes RGB or back."""
    info: VideoInfo = plan.info
    from_rgb = PixelFormat.named(planar_format(info.pixel_format)).rgb
    to_rgb = plan.pixel_format.startswith(("gbr", "bgr"))
    if from_rgb and not to_rgb:
        return Colour(1, 1, 1)
    if to_rgb and not from_rgb:  # players stretch RGB that is said to have a limited range
        return replace(info.colour, matrix=0, full_range=True)
    return info.colour
