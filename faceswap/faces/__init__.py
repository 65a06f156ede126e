"""Face extraction: detection, landmarks, tracking, alignment, crops and the face index."""
