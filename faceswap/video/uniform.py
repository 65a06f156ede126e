"""Bring all pictures of a stream to one size and one planar pixel format.

Most streams need nothing of this. Video calls change their size midway; capture cards deliver
packed pixels; interlaced footage can be deinterlaced.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from av.error import BlockingIOError, EOFError
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from faceswap.video.info import VideoInfo
from faceswap.video.pixel_formats import PixelFormat, planar_format
from faceswap.video.planes import plane
from faceswap.video.pyav import fraction

_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class UniformPictures:
    """Makes pictures of one stream alike: stored size and planar format of ``info``.

    resized: time in seconds of the first picture that had another size, or None.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._size = info.stored
        self._format = PixelFormat.named(planar_format(info.pixel_format))
        self._full_range = info.colour.full_range
        self._reformatter = VideoReformatter()
        self.resized: float | None = None

    def __call__(self, picture: VideoFrame) -> VideoFrame:
        """The same picture, or one with its content, in the stream's size and planar format."""
        size = picture.width, picture.height
        if size == self._size and picture.format.name == self._format.name:
            return picture
        if size == self._size:
            return self._reformat(picture, size)
        if self.resized is None:
            self.resized = float((picture.pts or 0) * (fraction(picture.time_base) or 0))
        return self._with_bars(picture)

    def _reformat(self, picture: VideoFrame, size: tuple[int, int]) -> VideoFrame:
        across = ColorRange.JPEG if self._full_range else ColorRange.MPEG
        made = self._reformatter.reformat(
            picture,
            *size,
            format=self._format.name,
            src_color_range=across,
            dst_color_range=across,
            interpolation=_SCALING,
        )
        made.pts = picture.pts
        if picture.time_base is not None:  # pictures of a folder have none
            made.time_base = picture.time_base
        return made

    def _with_bars(self, picture: VideoFrame) -> VideoFrame:
        """The picture scaled to fit, on black."""
        width, height = self._size
        scale = min(width / picture.width, height / picture.height)
        across, down = self._format.chroma
        fitted = (
            max(across, min(width, round(picture.width * scale)) // across * across),
            max(down, min(height, round(picture.height * scale)) // down * down),
        )
        small = self._reformat(picture, fitted)
        canvas = VideoFrame(width, height, self._format.name)
        left = (width - fitted[0]) // 2 // across * across
        top = (height - fitted[1]) // 2 // down * down
        for number in range(len(canvas.planes)):
            values, inner = plane(canvas, number), plane(small, number)
            values[:] = self._black(number)
            chroma = number in (1, 2)
            x, y = (left // across, top // down) if chroma else (left, top)
            rows, columns = inner.shape
            values[y : y + rows, x : x + columns] = inner
        tags = ("pts", "time_base", "colorspace", "color_range", "color_trc", "color_primaries")
        for tag in tags:
            if (value := getattr(small, tag)) is not None:
                setattr(canvas, tag, value)
        return canvas

    def _black(self, number: int) -> int:
        bits = self._format.bits
        if number == 3:
            return int((1 << bits) - 1)
        if self._format.rgb:
            return 0
        if number:
            return 1 << (bits - 1)
        return 0 if self._full_range else 16 << (bits - 8)


def deinterlaced(pictures: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
    """One progressive picture for each interlaced one, by bwdif, with the same timestamps."""
    graph: Graph | None = None
    base = Fraction(1)
    for picture in pictures:
        if graph is None:
            graph = _bwdif(picture)
        base = fraction(picture.time_base) or Fraction(1)
        graph.push(picture)
        yield from _pulled(graph, base)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph, base)


def _bwdif(like: VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=like.width, height=like.height, format=like.format, time_base=like.time_base
    )
    chain = (source, graph.add("bwdif", "mode=send_frame:deint=all"), graph.add("buffersink"))
    graph.link_nodes(*chain)
    graph.configure()
    return graph


def _pulled(graph: Graph, base: Fraction) -> Iterator[VideoFrame]:
    while True:
        try:
            made = graph.pull()
        except (BlockingIOError, EOFError):
            return
        assert isinstance(made, VideoFrame)
        own = fraction(made.time_base)
        if made.pts is not None and own is not None:
            made.pts, made.time_base = round(made.pts * own / base), base
        yield made
