"""What recognizers write when nobody spoke: the sentences that Whisper learned from the ends of videos."""

from __future__ import annotations

from hitl.speech.text import plain

_ALWAYS = frozenset({
    "thanks for watching", "thank you for watching", "please subscribe", "subscribe to my channel", "subtitles by",
    "like and subscribe", "thank you so much for watching", "see you next time", "see you in the next video",
    "blank audio", "music", "applause", "silence", "foreign", "i'll see you next time", "bye bye",
    "subtitles by the amara org community", "thanks for watching and i'll see you in the next video", "upbeat music",
    "this is the end of this video",
})  # fmt: skip
_WHEN_DOUBTED = frozenset({"you", "thank you", "thanks", "bye", "so", "oh", "okay", "i", "the", "hmm", "yeah", "uh"})
_NO_SPEECH, _DOUBT = 0.5, -0.9


def is_hallucination(text: str, no_speech: float, log_probability: float) -> bool:
    """Whether nobody is likely to have said this.

    no_speech: probability that nobody spoke; log_probability: mean over the tokens. Both thresholds are those of
    Whisper's own rule (no speech > 0.6 and log probability < -1; Radford et al. 2022, section 4.5), a little stricter.
    """
    words = plain(text)
    if not words or words in _ALWAYS:
        return True
    if no_speech > _NO_SPEECH and log_probability < _DOUBT:
        return True
    return words in _WHEN_DOUBTED and (no_speech > _NO_SPEECH or log_probability < _DOUBT)
