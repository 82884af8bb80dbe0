//! RTP audio as a value: packets, jitter, codecs, DTMF, tones, voice activity.
