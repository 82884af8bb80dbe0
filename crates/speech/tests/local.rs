//! The local voices heard by the local recogniser through a µ-law telephone channel.

#![allow(clippy::print_stdout, reason = "the table of accuracy by voice is read by people")]

mod word_errors;

use std::time::Duration;

use media::AudioFrame;
use speech::{
    Recognition, RecognitionEvent, RecognitionInput, Transcript, Vocabulary, local_stt, local_tts, synthesize,
};
use word_errors::word_errors;

/// A prompt as given to the voice, as it should be heard.
const PROMPTS: &[(&str, &str)] = &[
    ("Thank you for calling Lakeside Medical Group.", "thank you for calling lakeside medical group"),
    ("For billing, press 2. For appointments, press 1.", "for billing press two for appointments press one"),
    ("Press 4 for the pharmacy, or press 5 for radiology.", "press four for the pharmacy or press five for radiology"),
    ("To speak to an operator, press 0 or stay on the line.", "to speak to an operator press zero or stay on the line"),
    ("For all other questions, press 9.", "for all other questions press nine"),
    (
        "Please enter your account number followed by the pound key.",
        "please enter your account number followed by the pound key",
    ),
    (
        "Please key in your date of birth, two digits for the month, two for the day and four for the year.",
        "please key in your date of birth two digits for the month two for the day and four for the year",
    ),
    ("Good morning, this is Janet. How can I help you?", "good morning this is janet how can i help you"),
    ("May I have your full name please?", "may i have your full name please"),
    ("And what is your date of birth?", "and what is your date of birth"),
    ("Which doctor would you like to see?", "which doctor would you like to see"),
    (
        "Doctor Okafor has an opening on Tuesday, December 1st at 10:30 A.M.",
        "doctor okafor has an opening on tuesday december first at ten thirty a m",
    ),
    (
        "I can offer you Thursday March 12th at two fifteen P.M.",
        "i can offer you thursday march twelfth at two fifteen p m",
    ),
    (
        "You are booked with doctor Madinaguda on Friday at nine o'clock. Is that correct?",
        "you are booked with doctor madinaguda on friday at nine o'clock is that correct",
    ),
    (
        "Your current balance is $1,284.17.",
        "your current balance is one thousand two hundred eighty four dollars and seventeen cents",
    ),
    ("Your balance is ninety six dollars and four cents.", "your balance is ninety six dollars and four cents"),
    ("All of our agents are busy. Please stay on the line.", "all of our agents are busy please stay on the line"),
    ("Hello? Sorry for the wait.", "hello sorry for the wait"),
    ("Sorry, that is not a valid option. Please try again.", "sorry that is not a valid option please try again"),
    ("Please leave a message after the tone.", "please leave a message after the tone"),
    (
        "You entered 4 7 1 9 0 3. If this is correct, press 1.",
        "you entered four seven one nine zero three if this is correct press one",
    ),
    ("one two three four", "one two three four"),
    ("March fifth nineteen eighty two", "march fifth nineteen eighty two"),
    ("Is there anything else I can help you with?", "is there anything else i can help you with"),
    ("Have a nice day. Goodbye.", "have a nice day goodbye"),
];

/// Answers of a caller.
const ANSWERS: &[(&str, &str)] = &[
    ("My name is Maria Fernandes.", "my name is maria fernandes"),
    ("It is March 5, 1982.", "it is march fifth nineteen eighty two"),
    ("Doctor Okafor, please.", "doctor okafor please"),
    ("Yes, that works for me.", "yes that works for me"),
    ("No, thank you.", "no thank you"),
    ("I would like to make an appointment.", "i would like to make an appointment"),
    ("Tuesday, December 1 at 10:30 A.M. works.", "tuesday december first at ten thirty a m works"),
    ("four seven one nine", "four seven one nine"),
    ("I do not have that information.", "i do not have that information"),
    ("Yes, that is correct.", "yes that is correct"),
    ("Thank you. Goodbye.", "thank you goodbye"),
];

/// Names the task gives; never sentences.
const NAMES: [&str; 6] = ["Lakeside Medical Group", "Janet", "Okafor", "Madinaguda", "Rosen", "Peterson"];

#[tokio::test(flavor = "multi_thread")]
async fn the_recogniser_understands_every_local_voice_over_the_telephone() {
    let (Ok(tts), Ok(stt)) = (local_tts(), local_stt()) else {
        println!("skipped: libflite1, libpocketsphinx3 or pocketsphinx-en-us is not installed");
        return;
    };
    let vocabulary = Vocabulary { phrases: NAMES.map(str::to_owned).to_vec(), closed: false };
    let understands = async |voice: &str, bound: f64| {
        let mut recognition = stt.open(vocabulary.clone()).unwrap();
        let mut score = Score::default();
        for (text, expected) in PROMPTS {
            let pcm = synthesize(&*tts, text, Some(voice)).await.unwrap();
            score.add(expected, &turn(&mut recognition, &telephone(&pcm)).await, voice);
        }
        let rate = 100.0 * score.wrong as f64 / score.words as f64;
        println!("{voice}: {rate:.1} % of words wrong, {}/{} turns exact", score.exact, PROMPTS.len());
        assert!(rate <= bound, "{voice}: {rate:.1} % of words wrong, {bound} allowed");
    };
    // The most words in a hundred that may be wrong. Side by side: each recogniser hears on a thread of its own.
    tokio::join!(understands("rms", 4.0), understands("slt", 6.0), understands("kal16", 6.0), understands("awb", 6.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_vocabulary_understands_answers_in_the_agents_voice() {
    let (Ok(tts), Ok(stt)) = (local_tts(), local_stt()) else {
        println!("skipped: libflite1, libpocketsphinx3 or pocketsphinx-en-us is not installed");
        return;
    };
    let phrases = ["Maria Fernandes", "Martin Ferguson", "Okafor", "Rosen", "billing", "appointments", "blue shield"];
    let vocabulary = Vocabulary { phrases: phrases.map(str::to_owned).to_vec(), closed: true };
    for voice in ["slt", "awb"] {
        let mut recognition = stt.open(vocabulary.clone()).unwrap();
        let mut score = Score::default();
        for (text, expected) in ANSWERS {
            let pcm = synthesize(&*tts, text, Some(voice)).await.unwrap();
            score.add(expected, &turn(&mut recognition, &telephone(&pcm)).await, voice);
        }
        let rate = 100.0 * score.wrong as f64 / score.words as f64;
        println!("{voice} to a closed vocabulary: {rate:.1} % of words wrong, {}/{} exact", score.exact, ANSWERS.len());
        assert!(rate <= 10.0, "{voice}: {rate:.1} % of words wrong");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_music_and_clicks_make_no_confident_words() {
    let Ok(stt) = local_stt() else {
        println!("skipped: libpocketsphinx3 or pocketsphinx-en-us is not installed");
        return;
    };
    let began = std::time::Instant::now();
    let mut recognition = stt.open(Vocabulary { phrases: vec!["Okafor".into()], closed: false }).unwrap();
    turn(&mut recognition, &[0; 1600]).await;
    println!("first open and turn: {:?}", began.elapsed());
    let began = std::time::Instant::now();
    let mut recognition = stt.open(Vocabulary { phrases: vec!["Okafor".into()], closed: false }).unwrap();
    turn(&mut recognition, &[0; 1600]).await;
    println!("second open and turn: {:?}", began.elapsed());

    let mut random = 1_u32;
    let mut noise = move || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(random >> 8) / f64::from(1 << 24) - 0.5
    };
    let chord = |n: f64, at: f64| [1.0, 1.26, 1.5].iter().map(|k| (n * at * k).sin()).sum::<f64>();
    let sounds: [(&str, Vec<i16>); 4] = [
        ("silence", vec![0; 16_000]),
        ("noise", (0..16_000).map(|_| (noise() * 3000.0) as i16).collect()),
        (
            "music",
            (0..24_000).map(|n| (chord(f64::from(n), 0.17 + 0.05 * f64::from(n / 4000 % 4)) * 2000.0) as i16).collect(),
        ),
        ("clicks", (0..16_000).map(|n| if n % 4000 < 12 { 12_000 } else { 0 }).collect()),
    ];
    for (name, pcm) in sounds {
        let heard = turn(&mut recognition, &telephone(&pcm)).await;
        println!("{name}: {:?} ({:?})", heard.text, heard.confidence);
        assert!(heard.text.split_whitespace().count() <= 6, "{name} was heard as {:?}", heard.text);
    }
}

#[derive(Default)]
struct Score {
    wrong: usize,
    words: usize,
    exact: usize,
}

impl Score {
    fn add(&mut self, expected: &str, heard: &Transcript, voice: &str) {
        let errors = word_errors(expected, &heard.text);
        if errors > 0 {
            println!("{voice}: {expected:?} was heard as {:?} ({:?})", heard.text, heard.confidence);
        }
        self.wrong += errors;
        self.words += expected.split(' ').count();
        self.exact += usize::from(errors == 0);
    }
}

/// One turn of a call: its frames, then the end of turn.
async fn turn(recognition: &mut Recognition, pcm: &[i16]) -> Transcript {
    for chunk in pcm.chunks(160) {
        let mut frame = AudioFrame::silence(Duration::ZERO);
        frame.samples[..chunk.len()].copy_from_slice(chunk);
        recognition.input.send(RecognitionInput::Audio(frame)).await.unwrap();
    }
    recognition.input.send(RecognitionInput::Finish).await.unwrap();
    loop {
        match recognition.events.recv().await.unwrap() {
            RecognitionEvent::Final(transcript) => return transcript,
            RecognitionEvent::Interim { .. } => {}
            RecognitionEvent::Failed { message } => panic!("{message}"),
        }
    }
}

/// µ-law there and back (ITU-T G.711), by its formula.
fn telephone(pcm: &[i16]) -> Vec<i16> {
    pcm.iter()
        .map(|&sample| {
            let x = f64::from(sample) / 32768.0;
            let coded = ((1.0 + 255.0 * x.abs()).ln() / 256f64.ln() * 127.0).round() / 127.0;
            (((256f64.powf(coded) - 1.0) / 255.0) * x.signum() * 32767.0) as i16
        })
        .collect()
}
