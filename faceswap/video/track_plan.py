"""Decide what becomes of the streams beside the footage: copied, converted or left out."""

from dataclasses import dataclass
from typing import Literal

from av.container import InputContainer
from av.stream import Stream

from faceswap.video.containers import Container, can_hold
from faceswap.video.encoding import AudioMode
from faceswap.video.info import AudioInfo, VideoInfo
from faceswap.video.subtitles import TEXT_CODECS, TIMED_TEXT

Action = Literal["copy", "convert"]


@dataclass(frozen=True)
class TrackPlan:
    """What becomes of the stream with this index; ``convert``: it becomes one of ``codec``."""

    index: int
    action: Action
    codec: str = ""


def plan_sound(
    container: Container, opened: InputContainer, info: VideoInfo, mode: AudioMode, editing: bool
) -> tuple[list[TrackPlan], list[str]]:
    """Plans of all sound, and what to tell about it.

    editing: the output is for editing programs, which play all that it can hold.
    """
    plans: list[TrackPlan] = []
    told: list[str] = []
    if mode == "none":
        return plans, told
    for number, sound in enumerate(info.audio, 1):
        stream = opened.streams[sound.index]
        name = "The sound" if len(info.audio) == 1 else f"Sound track {number}"
        plan, text = _sound_plan(container, stream, sound, mode, editing)
        if plan is not None:
            plans.append(plan)
        if text:
            told.append(f"{name} of {info.path.name} {text}")
    return plans, told


def _sound_plan(
    container: Container, stream: Stream, sound: AudioInfo, mode: AudioMode, editing: bool
) -> tuple[TrackPlan | None, str]:
    new = "AAC" if container.sound == "aac" else "Opus"
    if stream.codec_context is None:
        return None, "has a codec that is not known here (a phone's spatial sound); it is left out."
    converted = TrackPlan(sound.index, "convert", container.sound)
    if mode == "aac" and sound.codec != container.sound:
        return converted, f"({sound.codec}) becomes {new}."
    if not can_hold(container, stream):
        return converted, (
            f"({sound.codec}) cannot be copied to {container.suffix}; it becomes {new}."
        )
    unplayed = container.played and sound.codec not in container.played
    if mode == "auto" and unplayed and not editing:
        return converted, (
            f"({sound.codec}) becomes {new}, as common players are silent otherwise; --audio copy "
            "keeps it."
        )
    return TrackPlan(sound.index, "copy"), ""


def plan_others(
    container: Container, opened: InputContainer, info: VideoInfo
) -> tuple[list[TrackPlan], list[str]]:
    """Plans of subtitles, attachments, data and further pictures, and what to tell about them."""
    plans: list[TrackPlan] = []
    lost: list[str] = []
    kept_pictures: list[str] = []
    texts: list[str] = []
    for track in info.tracks:
        stream = opened.streams[track.index]
        if can_hold(container, stream):
            plans.append(TrackPlan(track.index, "copy"))
            if track.kind == "video":
                kept_pictures.append(track.text())
        elif track.codec in TEXT_CODECS and container.played:
            plans.append(TrackPlan(track.index, "convert", TIMED_TEXT))
            texts.append(track.text())
        else:
            lost.append(track.text())
    told = []
    if kept_pictures:
        told.append(
            f"Only the main pictures of {info.path.name} are changed; copied as they are: "
            f"{', '.join(kept_pictures)}."
        )
    if texts:
        told.append(f"{container.suffix} holds subtitles without their styles: {', '.join(texts)}.")
    if lost:
        told.append(f"{container.suffix} cannot hold and leaves out: {', '.join(lost)}.")
    return plans, told
