"""Encode single pictures of more than 8 bits, with their provenance inside: PNG, TIFF, EXR."""

import struct
import zlib
from fractions import Fraction

import av.error
import cv2
import numpy as np
import numpy.typing as npt
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from faceswap.errors import OutputError
from faceswap.io.provenance import Provenance, xmp_packet
from faceswap.types import FloatImage

Deep = npt.NDArray[np.uint16]

_PNG_HEADER = 33  # bytes: signature and IHDR
_TIFF_SHORT, _TIFF_LONG, _TIFF_ASCII, _TIFF_BYTE = 3, 4, 2, 1


def encode_png(image: Deep, made: Provenance) -> bytes:
    """A 16-bit PNG of RGB (H, W, 3), RGBA (H, W, 4) or grey (H, W), uint16."""
    order = {2: image, 3: image[..., ::-1]}.get(image.ndim, image)
    if image.ndim == 3 and image.shape[2] == 4:
        order = image[..., [2, 1, 0, 3]]
    done, data = cv2.imencode(".png", np.ascontiguousarray(order))
    if not done:
        raise OutputError("A picture could not be encoded as PNG; use another format.")
    plain = data.tobytes()
    text = (("Comment", made.text), ("XML:com.adobe.xmp", xmp_packet(made)))
    chunks = b"".join(_png_text(key, value) for key, value in text)
    return plain[:_PNG_HEADER] + chunks + plain[_PNG_HEADER:]


def _png_text(key: str, text: str) -> bytes:
    body = b"iTXt" + key.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def encode_tiff(image: Deep, made: Provenance) -> bytes:
    """A 16-bit TIFF, deflated, of RGB uint16 (H, W, 3), little endian (TIFF 6.0)."""
    height, width = image.shape[:2]
    pixels = zlib.compress(np.ascontiguousarray(image, "<u2").tobytes(), 6)
    text = made.text.encode() + b"\0"
    packet = xmp_packet(made).encode()
    bits, values = 8, 8 + 6
    text_at = values
    packet_at = text_at + len(text) + len(text) % 2
    pixels_at = packet_at + len(packet) + len(packet) % 2
    entries = [
        (256, _TIFF_LONG, 1, width),
        (257, _TIFF_LONG, 1, height),
        (258, _TIFF_SHORT, 3, bits),
        (259, _TIFF_SHORT, 1, 8),  # deflate
        (262, _TIFF_SHORT, 1, 2),  # RGB
        (270, _TIFF_ASCII, len(text), text_at),
        (273, _TIFF_LONG, 1, pixels_at),
        (277, _TIFF_SHORT, 1, 3),
        (278, _TIFF_LONG, 1, height),
        (279, _TIFF_LONG, 1, len(pixels)),
        (700, _TIFF_BYTE, len(packet), packet_at),
    ]
    table_at = pixels_at + len(pixels) + len(pixels) % 2
    table = struct.pack("<H", len(entries))
    table += b"".join(struct.pack("<HHII", *entry) for entry in entries) + b"\0\0\0\0"
    data = struct.pack("<2sHI", b"II", 42, table_at) + struct.pack("<3H", 16, 16, 16)
    data += text + b"\0" * (len(text) % 2) + packet + b"\0" * (len(packet) % 2)
    return data + pixels + b"\0" * (len(pixels) % 2) + table


def encode_exr(image: FloatImage, made: Provenance) -> bytes:
    """An EXR of RGB float32 (H, W, 3), linear light, stored as half floats (ZIP)."""
    context = CodecContext.create("exr", "w")
    assert isinstance(context, VideoCodecContext)
    context.height, context.width = image.shape[:2]
    context.pix_fmt, context.time_base = "gbrpf32le", Fraction(1, 25)
    context.options = {"compression": "zip16", "format": "half"}
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(image, np.float32), format="gbrpf32le")
    picture.pts = 0
    try:
        packets = [*context.encode(picture), *context.encode(None)]
    except av.error.FFmpegError as error:
        raise OutputError("A picture could not be encoded as EXR; use another format.") from error
    return _with_comment(b"".join(bytes(packet) for packet in packets), made)


def _with_comment(data: bytes, made: Provenance) -> bytes:
    """The EXR file ``data`` with provenance in its header; its table of offsets is moved along."""
    text = f"{made.text} {made.code}".strip().encode()
    entry = b"comments\0string\0" + struct.pack("<I", len(text)) + text
    end = 8
    while data[end] != 0:
        for _ in range(2):  # name and type
            end = data.index(b"\0", end) + 1
        end += 4 + int(struct.unpack_from("<I", data, end)[0])
    table = end + 1
    first = int(struct.unpack_from("<Q", data, table)[0])
    count = (first - table) // 8
    offsets = struct.unpack_from(f"<{count}Q", data, table)
    moved = struct.pack(f"<{count}Q", *(offset + len(entry) for offset in offsets))
    return data[:end] + entry + data[end : end + 1] + moved + data[first:]
