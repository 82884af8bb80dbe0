//! The scripted providers under a paused clock.

use std::time::Duration;

use speech::chat::{ChatRequest, LanguageModel, Message, Piece};
use speech::scripted::{Script, ScriptedModel, ScriptedStt, ScriptedTts};
use speech::{Vocabulary, synthesize, transcribe};

#[tokio::test(start_paused = true)]
async fn words_are_understood_only_as_far_as_their_sound_came_through() {
    let script = Script::new();
    let (tts, stt) = (ScriptedTts::new(script.clone()), ScriptedStt::new(script.clone()));
    let first = synthesize(&tts, "May I have your name, please?", None).await.unwrap();
    let second = synthesize(&tts, "Thank you. Goodbye!", None).await.unwrap();

    assert_eq!(heard(&stt, &first).await, "may i have your name please");
    assert_eq!(heard(&stt, &second).await, "thank you goodbye");
    assert_eq!(heard(&stt, &[0; 16_000]).await, "");
    assert_eq!(
        heard(&stt, &[second.clone(), vec![0; 5000], first.clone()].concat()).await,
        "thank you goodbye may i have your name please"
    );

    let cut = [first[..first.len() / 2].to_vec(), vec![0; 8000]].concat();
    let cut = heard(&stt, &cut).await;
    assert!("may i have your name please".starts_with(&cut) && cut.len() > 4 && cut.len() < 24, "{cut:?}");
    assert_eq!(script.said(), ["May I have your name, please?", "Thank you. Goodbye!"]);
}

#[tokio::test(start_paused = true)]
async fn a_shifted_and_quieter_copy_is_still_understood_and_a_tone_is_not() {
    let script = Script::new();
    let (tts, stt) = (ScriptedTts::new(script.clone()), ScriptedStt::new(script));
    let sound = synthesize(&tts, "Tuesday at ten thirty", None).await.unwrap();
    for shift in [0, 1, 57, 159, 400, 4001] {
        let copy: Vec<i16> = std::iter::repeat_n(0, shift).chain(sound.iter().map(|x| x / 3 * 2)).collect();
        assert_eq!(heard(&stt, &copy).await, "tuesday at ten thirty", "shifted by {shift}");
    }
    let tone: Vec<i16> = (0..16_000).map(|n| ((f64::from(n) * 0.35).sin() * 8000.0) as i16).collect();
    assert_eq!(heard(&stt, &tone).await, "");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_a_closure_answers_piece_by_piece() {
    let model = ScriptedModel::new(|request| match request.messages.last() {
        Some(Message::User(text)) => vec![Piece::Text(format!("you said {text}"))],
        _ => Vec::new(),
    })
    .with_delay(Duration::from_millis(300));
    let request = ChatRequest { messages: vec![Message::User("hello".into())], tools: vec![], max_tokens: 10 };
    let began = tokio::time::Instant::now();
    let mut chat = model.chat(request).unwrap();
    assert_eq!(chat.pieces.recv().await.unwrap().unwrap(), Piece::Text("you said hello".into()));
    assert_eq!(began.elapsed(), Duration::from_millis(300));
    let done = Piece::Done { input_tokens: None, output_tokens: None };
    assert_eq!(chat.pieces.recv().await.unwrap().unwrap(), done);
    assert!(chat.pieces.recv().await.is_none());
}

async fn heard(stt: &ScriptedStt, pcm: &[i16]) -> String {
    transcribe(stt, Vocabulary::default(), pcm).await.unwrap().text
}
