"""From a frame to faces: detection, landmarks, tracking, alignment, masks, the index."""
