//! Whole texts and whole recordings, for commands that are not a call.

use std::time::Duration;

use media::{AudioFrame, FRAME_DURATION, FRAME_SAMPLES};

use crate::{Error, RecognitionEvent, RecognitionInput, SpeechToText, TextToSpeech, Transcript, Vocabulary};

/// Speaks a text and returns all of its audio, 8 kHz mono.
pub async fn synthesize(tts: &dyn TextToSpeech, text: &str, voice: Option<&str>) -> Result<Vec<i16>, Error> {
    let mut speech = tts.speak(text, voice)?;
    let mut pcm = Vec::new();
    while let Some(piece) = speech.audio.recv().await {
        pcm.extend(piece?);
    }
    Ok(pcm)
}

/// Understands one recording, 8 kHz mono, as one turn.
pub async fn transcribe(stt: &dyn SpeechToText, vocabulary: Vocabulary, pcm: &[i16]) -> Result<Transcript, Error> {
    let mut recognition = stt.open(vocabulary)?;
    let provider = stt.name();
    let input = recognition.input.clone();
    let frames: Vec<AudioFrame> = frames(pcm).collect();
    let feed = async move {
        for frame in frames {
            if input.send(RecognitionInput::Audio(frame)).await.is_err() {
                return;
            }
        }
        let _ = input.send(RecognitionInput::Finish).await;
    };
    let answer = async {
        while let Some(event) = recognition.events.recv().await {
            match event {
                RecognitionEvent::Interim { .. } => {}
                RecognitionEvent::Final(transcript) => return Ok(transcript),
                RecognitionEvent::Failed { message } => {
                    return Err(Error::Provider { provider, message });
                }
            }
        }
        Err(Error::Provider { provider, message: "it ended without an answer".to_owned() })
    };
    let ((), transcript) = tokio::join!(feed, answer);
    transcript
}

fn frames(pcm: &[i16]) -> impl Iterator<Item = AudioFrame> {
    pcm.chunks(FRAME_SAMPLES).zip(0..).map(|(chunk, index)| {
        let mut frame = AudioFrame::silence(FRAME_DURATION.checked_mul(index).unwrap_or(Duration::MAX));
        frame.samples[..chunk.len()].copy_from_slice(chunk);
        frame
    })
}
