//! Two gateways on a simulated network, in simulated time.

mod sim;

use std::time::Duration;

use gateway::{
    Call, CallHandle, CallLimits, Config, Dial, EndCause, Gateway, IncomingCall, Line, LineEvent, Network, NextHop,
    RecordingError, RecordingKey, RecordingReader, Trunk,
};
use media::UtteranceId;
use sim::{CALLER, address, at, callee, callee_config, caller, dial, network, trunk, until};
use sip::sdp::AudioCodec;

fn tone(hertz: f32) -> impl Iterator<Item = [i16; 160]> {
    (0..).map(move |frame: usize| {
        std::array::from_fn(|n| {
            let time = (frame * 160 + n) as f32 / 8000.0;
            ((time * hertz * std::f32::consts::TAU).sin() * 8000.0) as i16
        })
    })
}

/// Power of one frequency (Goertzel), relative to full scale.
fn power(samples: &[i16], hertz: f32) -> f32 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = n as f32 * hertz * std::f32::consts::TAU / 8000.0;
        re += f32::from(*sample) * angle.cos();
        im += f32::from(*sample) * angle.sin();
    }
    (re * re + im * im).sqrt() / (samples.len() as f32 * 16384.0)
}

async fn listen(line: &mut Line, frames: usize) -> Vec<i16> {
    let mut heard = Vec::new();
    while heard.len() < frames * 160 {
        if let LineEvent::Audio(frame) = until(line, |event| matches!(event, LineEvent::Audio(_))).await {
            heard.extend(frame.samples);
        }
    }
    heard
}

#[tokio::test(start_paused = true)]
async fn a_tone_said_to_echo_comes_back() {
    let network = network(2);
    let _callee = callee(&network).await;
    let caller = caller(&network).await;
    let Call { mut line, handle } = caller.dial(dial("echo")).await.expect("dialed");
    until(&mut line, |event| *event == LineEvent::Answered).await;
    let mut player = line.player();
    tokio::spawn(async move {
        for (n, frame) in tone(440.0).take(100).enumerate() {
            player.play(UtteranceId(1), frame, n == 99).await.expect("the call is up");
        }
    });
    until(&mut line, |event| matches!(event, LineEvent::Started { .. })).await;
    listen(&mut line, 20).await;
    let heard = listen(&mut line, 50).await;
    assert!(power(&heard, 440.0) > 0.1, "440 Hz comes back: {}", power(&heard, 440.0));
    assert!(power(&heard, 1000.0) < 0.01, "and nothing else does");
    until(&mut line, |event| {
        *event == LineEvent::Played { utterance: UtteranceId(1), duration: Duration::from_secs(2), finished: true }
    })
    .await;
    line.hang_up();
    assert_eq!(handle.ended().await.cause, EndCause::HungUp);
}

/// Says a tone, and gives what is heard meanwhile.
async fn say_and_hear(line: &mut Line, hertz: f32) -> Vec<i16> {
    let mut player = line.player();
    tokio::spawn(async move {
        for (n, frame) in tone(hertz).take(150).enumerate() {
            player.play(UtteranceId(1), frame, n == 149).await.expect("the call is up");
        }
    });
    until(line, |event| matches!(event, LineEvent::Started { .. })).await;
    listen(line, 40).await;
    listen(line, 50).await
}

/// In a call in this codec alone, each side hears the tone of the other.
async fn check_both_ways(seed: u8, codec: AudioCodec) {
    let network = network(seed);
    let networks = vec![("10.0.0.0".parse().expect("an address"), 8)];
    let anybody =
        Trunk { codecs: vec![codec], allow_from: networks, ..Trunk::new("anybody", "trunk.test", NextHop::Nowhere) };
    let config = Config { trunks: vec![anybody], ..callee_config(&network) };
    let callee = Gateway::start(config).await.expect("the simulated network has room");
    let caller = at(&network, CALLER, vec![Trunk { codecs: vec![codec], ..trunk() }]).await;
    let party = tokio::spawn(async move {
        let mut call = callee.accept().await.expect("a call comes").call;
        call.line.answer();
        let heard = say_and_hear(&mut call.line, 700.0).await;
        until(&mut call.line, |event| matches!(event, LineEvent::Ended(_))).await;
        heard
    });
    let mut call = caller.dial(dial("+15550100")).await.expect("dialed");
    until(&mut call.line, |event| *event == LineEvent::Answered).await;
    let heard = say_and_hear(&mut call.line, 440.0).await;
    assert!(call.handle.explain().contains(&format!("{codec:?} to ")), "{}", call.handle.explain());
    call.line.hang_up();
    for (heard, theirs, ours) in [(heard, 700.0, 440.0), (party.await.expect("the party is well"), 440.0, 700.0)] {
        assert!(power(&heard, theirs) > 0.15, "{codec:?}: {theirs} Hz is heard: {}", power(&heard, theirs));
        assert!(power(&heard, ours) < 0.01, "{codec:?}: {ours} Hz is not: {}", power(&heard, ours));
    }
}

#[tokio::test(start_paused = true)]
async fn both_sides_are_heard_in_g722() {
    check_both_ways(9, AudioCodec::G722).await;
}

#[cfg(feature = "opus")]
#[tokio::test(start_paused = true)]
async fn both_sides_are_heard_in_opus() {
    check_both_ways(10, AudioCodec::Opus).await;
}

#[tokio::test(start_paused = true)]
async fn the_milliwatt_is_a_steady_tone_at_1004_hz() {
    let network = network(3);
    let _callee = callee(&network).await;
    let caller = caller(&network).await;
    let mut call = caller.dial(dial("milliwatt")).await.expect("dialed");
    until(&mut call.line, |event| *event == LineEvent::Answered).await;
    listen(&mut call.line, 10).await;
    let heard = listen(&mut call.line, 50).await;
    assert!(power(&heard, 1004.0) > 0.5, "{}", power(&heard, 1004.0));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_keeps_the_words_of_the_peer() {
    let network = network(4);
    let _callee = callee(&network).await;
    let caller = caller(&network).await;
    let call = caller.dial(dial("nobody")).await.expect("dialed");
    let end = call.handle.ended().await;
    assert_eq!((end.cause, end.sip_status, end.reason.as_deref()), (EndCause::Rejected, Some(603), Some("Decline")));
}

#[tokio::test(start_paused = true)]
async fn keys_pressed_on_one_side_are_heard_on_the_other_and_both_sides_hang_up() {
    let network = network(5);
    let callee = callee(&network).await;
    let caller = caller(&network).await;
    let party = tokio::spawn(async move {
        let IncomingCall { to, from, call, .. } = callee.accept().await.expect("a call comes");
        assert_eq!((to.as_str(), from.as_str()), ("+15550100", "+15550199"));
        let Call { mut line, .. } = call;
        line.ring();
        tokio::time::sleep(Duration::from_secs(2)).await;
        line.answer();
        let mut digits = String::new();
        while digits.len() < 4 {
            if let LineEvent::Digit { digit, .. } =
                until(&mut line, |event| matches!(event, LineEvent::Digit { .. })).await
            {
                digits.push(digit.as_char());
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        line.hang_up();
        until(&mut line, |event| matches!(event, LineEvent::Ended(_))).await;
        (digits, callee)
    });
    let Call { mut line, .. } = caller.dial(dial("+15550100")).await.expect("dialed");
    until(&mut line, |event| *event == LineEvent::Ringing).await;
    until(&mut line, |event| *event == LineEvent::Answered).await;
    line.press("12w#*");
    until(&mut line, |event| *event == LineEvent::DigitsSent).await;
    let ended = until(&mut line, |event| matches!(event, LineEvent::Ended(_))).await;
    let LineEvent::Ended(end) = ended else { unreachable!("just matched") };
    assert_eq!(end.cause, EndCause::CalleeHungUp);
    assert_eq!(party.await.expect("the party is well").0, "12#*");
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_within_the_ring_limit() {
    let network = network(6);
    let callee = callee(&network).await;
    let caller = caller(&network).await;
    tokio::spawn(async move {
        let mut incoming = callee.accept().await.expect("a call comes");
        incoming.call.line.ring();
        until(&mut incoming.call.line, |event| matches!(event, LineEvent::Ended(_))).await;
    });
    let limits = CallLimits { ring: Duration::from_secs(20), ..CallLimits::default() };
    let started = tokio::time::Instant::now();
    let call = caller.dial(Dial { limits, ..dial("+15550100") }).await.expect("dialed");
    let end = call.handle.ended().await;
    assert_eq!((end.cause, end.sip_status), (EndCause::NoAnswer, None));
    assert!(started.elapsed() < Duration::from_secs(22), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_a_trunk_to_call_out_by_dialing_says_what_to_write() {
    let check = async |trunks: Vec<Trunk>, by: Option<&str>, expected: &str| {
        let gateway = at(&network(8), CALLER, trunks).await;
        let refused = gateway.dial(Dial { trunk: by.map(str::to_owned), ..dial("echo") }).await;
        assert_eq!(refused.expect_err("nowhere to dial to").to_string(), expected);
    };
    let nothing = "no trunk is configured to call out by; \
        add a [[trunk]] with a name and a uri such as \"sip:trunk.example.com\"";
    let inbound_only = || Trunk { next_hop: NextHop::Nowhere, register: false, ..trunk() };
    check(Vec::new(), None, nothing).await;
    check(vec![inbound_only()], None, nothing).await;
    check(vec![inbound_only()], Some("sim"), "trunk \"sim\" has no address to send calls to; give it a uri").await;
}

#[tokio::test(start_paused = true)]
async fn a_recording_has_them_left_and_us_right() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("deep/call.wav");
    let network = network(7);
    let _callee = callee(&network).await;
    let caller = caller(&network).await;
    let Call { mut line, handle } =
        caller.dial(Dial { record: Some(path.clone()), ..dial("milliwatt") }).await.expect("dialed");
    until(&mut line, |event| *event == LineEvent::Answered).await;
    for (n, frame) in tone(440.0).take(100).enumerate() {
        line.play(UtteranceId(1), frame, n == 99).await.expect("the call is up");
    }
    until(&mut line, |event| matches!(event, LineEvent::Played { .. })).await;
    line.hang_up();
    handle.ended().await;
    let (rate, channels, samples) =
        media::wav::read(&std::fs::read(&path).expect("the file is there")).expect("a WAV file");
    assert_eq!((rate, channels), (8000, 2));
    let side = |offset: usize| samples.iter().skip(offset + 16_000).step_by(2).copied().take(8000).collect::<Vec<_>>();
    assert!(power(&side(0), 1004.0) > 0.5, "they are left");
    assert!(power(&side(1), 440.0) > 0.1, "we are right");
    assert!(power(&side(0), 440.0) < 0.01, "and apart");
}

#[tokio::test(start_paused = true)]
async fn with_a_key_a_recording_is_encrypted_and_read_with_that_key_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("call.wav");
    let network = network(9);
    let _callee = callee(&network).await;
    let key = RecordingKey::new([7; 32]);
    let caller = Gateway::start(Config {
        listen: vec![address(CALLER).into()],
        trunks: vec![trunk()],
        network: Network::Simulated(network.clone()),
        seed: Some([1; 32]),
        recording_key: Some(key.clone()),
        ..Config::default()
    })
    .await
    .expect("the simulated network has room");
    let Call { mut line, handle } =
        caller.dial(Dial { record: Some(path.clone()), ..dial("milliwatt") }).await.expect("dialed");
    until(&mut line, |event| *event == LineEvent::Answered).await;
    listen(&mut line, 200).await;
    line.hang_up();
    handle.ended().await;

    assert!(std::fs::read(&path).expect("the file is there").starts_with(b"offhook\x01"));
    let other = RecordingReader::open(&path, Some(&RecordingKey::new([8; 32])));
    assert!(matches!(other, Err(RecordingError::OtherKey)), "{other:?}");
    let mut reader = RecordingReader::open(&path, Some(&key)).expect("it opens");
    let mut file = Vec::new();
    loop {
        let piece = reader.read().expect("it is whole");
        if piece.is_empty() {
            break;
        }
        file.extend(piece);
    }
    assert!(reader.is_complete());
    let (rate, channels, samples) = media::wav::read(&file).expect("a WAV file");
    assert_eq!((rate, channels, samples.len() * 2 + 44), (8000, 2, file.len()));
    let they: Vec<i16> = samples.iter().skip(16_000).step_by(2).copied().take(8000).collect();
    assert!(power(&they, 1004.0) > 0.5, "they are left");
}

/// Something like quiet speech: a voice whose pitch glides, in phrases of seven syllables, each a vowel of its own.
fn murmur() -> impl Iterator<Item = [i16; 160]> {
    const SYLLABLE: usize = 2000;
    const VOWELS: [(f32, f32); 4] = [(300.0, 2200.0), (550.0, 1500.0), (700.0, 1100.0), (450.0, 1800.0)];
    (0..).map(|frame: usize| {
        std::array::from_fn(|n| {
            let sample = frame * 160 + n;
            let (time, syllable) = (sample as f32 / 8000.0, sample / SYLLABLE);
            let through = (sample % SYLLABLE) as f32 / 1280.0;
            if through >= 1.0 || syllable % 9 >= 7 {
                return 0;
            }
            let pitch = 120.0 + 25.0 * (time * 5.0).sin();
            let phase = 120.0 * time - 5.0 * (time * 5.0).cos();
            let (first, second) = VOWELS[syllable % 4];
            let overtones = (1..28u16).map(|k| {
                let formant = |centre: f32| 1.0 / (1.0 + ((pitch * f32::from(k) - centre) / 120.0).powi(2));
                ((phase * f32::from(k)).fract() * std::f32::consts::TAU).sin()
                    * (formant(first) + 0.5 * formant(second))
            });
            (overtones.sum::<f32>() * (through * std::f32::consts::PI).sin() * 300.0) as i16
        })
    })
}

/// How loud an agent hears a murmur, from its twentieth second on.
async fn heard_of_a_murmur(raise_quiet_lines: bool) -> f32 {
    let network = network(12);
    let networks = vec![("10.0.0.0".parse().expect("an address"), 8)];
    let anybody = Trunk { allow_from: networks, ..Trunk::new("anybody", "trunk.test", NextHop::Nowhere) };
    let callee = Gateway::start(Config { trunks: vec![anybody], ..callee_config(&network) }).await;
    let callee = callee.expect("the simulated network has room");
    let caller = Gateway::start(Config {
        listen: vec![address(CALLER).into()],
        trunks: vec![trunk()],
        network: Network::Simulated(network.clone()),
        seed: Some([1; 32]),
        raise_quiet_lines,
        ..Config::default()
    })
    .await
    .expect("the simulated network has room");
    tokio::spawn(async move {
        let mut call = callee.accept().await.expect("a call comes").call;
        call.line.answer();
        for frame in murmur() {
            if call.line.play(UtteranceId(1), frame, false).await.is_err() {
                break;
            }
        }
    });
    let mut call = caller.dial(dial("+15550100")).await.expect("dialed");
    until(&mut call.line, |event| *event == LineEvent::Answered).await;
    listen(&mut call.line, 1000).await;
    let heard = listen(&mut call.line, 200).await;
    let energy: f32 = heard.iter().map(|sample| f32::from(*sample).powi(2)).sum();
    10.0 * energy.log10()
}

#[tokio::test(start_paused = true)]
async fn a_quiet_line_is_raised_for_the_agent_where_that_is_configured() {
    let raised = heard_of_a_murmur(true).await - heard_of_a_murmur(false).await;
    assert!((6.0..16.0).contains(&raised), "{raised} dB");
}

#[tokio::test(start_paused = true)]
async fn the_port_of_a_call_that_just_ended_is_left_alone_while_another_is_free() {
    let network = network(10);
    let _callee = callee(&network).await;
    let caller = Gateway::start(Config {
        listen: vec![address(CALLER).into()],
        trunks: vec![trunk()],
        rtp_ports: (40_000, 40_005),
        network: Network::Simulated(network.clone()),
        seed: Some([1; 32]),
        ..Config::default()
    })
    .await
    .expect("the simulated network has room");
    let call = async || {
        let Call { mut line, handle } = caller.dial(dial("milliwatt")).await.expect("there is a port");
        until(&mut line, |event| *event == LineEvent::Answered).await;
        (line, handle)
    };
    let end = async |(mut line, handle): (Line, CallHandle), seconds| {
        line.hang_up();
        handle.ended().await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    };
    let (first, second, third) = (call().await, call().await, call().await);
    let (of_first, of_second) = (audio_port(&first.1), audio_port(&second.1));
    assert_ne!(of_first, of_second);
    end(second, 6).await;
    // In turn it would be the first's again.
    end(first, 1).await;
    assert_eq!(audio_port(&call().await.1), of_second);
    drop(third);
}

/// The port that our offer names.
fn audio_port(call: &CallHandle) -> u16 {
    let invite = String::from_utf8(call.sip_messages()[0].bytes.clone()).expect("text");
    let media = invite.lines().find_map(|line| line.strip_prefix("m=audio ")).expect("an offer");
    media.split(' ').next().and_then(|port| port.parse().ok()).expect("a port")
}

#[cfg(feature = "opus")]
#[tokio::test(start_paused = true)]
async fn a_recording_that_is_named_opus_is_opus_to_its_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("call.opus");
    let network = network(11);
    let _callee = callee(&network).await;
    let caller = caller(&network).await;
    let Call { mut line, handle } =
        caller.dial(Dial { record: Some(path.clone()), ..dial("milliwatt") }).await.expect("dialed");
    until(&mut line, |event| *event == LineEvent::Answered).await;
    listen(&mut line, 120).await;
    line.hang_up();
    handle.ended().await;
    let file = std::fs::read(&path).expect("the file is there");
    let pages: Vec<usize> = (0..file.len()).filter(|at| file[*at..].starts_with(b"OggS\0")).collect();
    assert!(pages.len() > 4 && file[28..].starts_with(b"OpusHead\x01\x02"), "{pages:?}");
    let ends: Vec<bool> = pages.iter().map(|page| file[page + 5] & 4 != 0).collect();
    assert_eq!(ends.iter().position(|ends| *ends), Some(pages.len() - 1), "the last page says that it is");
}
