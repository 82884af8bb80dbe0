//! Parties on a timeline: what goes in, what comes out.

use std::time::Duration;

use callee::callee::{Input, Output, Sound};
use callee::{AgentSide, Event, Instance, Party, Report, Scenario};

#[test]
fn a_busy_party_refuses_and_is_over() {
    let mut party = party("[[step]]\nid = \"a\"\nreject = 486");
    party.handle_input(ms(0), Input::Incoming);
    assert_eq!(outputs(&mut party), [Output::Reject(486)]);
    assert_eq!(party.poll_timeout(), None);
    assert!(party.is_over());
}

#[test]
fn an_unanswered_telephone_rings_without_end() {
    let mut party = party("[[step]]\nid = \"a\"\nring = true");
    party.handle_input(ms(0), Input::Incoming);
    assert_eq!(outputs(&mut party), [Output::Ring]);
    assert_eq!(party.poll_timeout(), None);
    assert!(!party.is_over());
}

#[test]
fn a_mute_line_answers_and_says_nothing() {
    let mut party = party("[line]\nring = \"1s\"\nmute = true\n[[step]]\nid = \"a\"\nsay = \"Hello.\"");
    party.handle_input(ms(0), Input::Incoming);
    party.handle_input(ms(1000), Input::Timeout);
    assert_eq!(outputs(&mut party), [Output::Ring, Output::Answer]);
    assert_eq!(party.poll_timeout(), Some(ms(121_000)));
}

const MENU: &str = r#"
[[step]]
id = "menu"
retries = 1
[step.options]
option = [{ next = "a", for = "billing", key = "1" }, { next = "b", for = "sales", key = "2" }]
[[step]]
id = "a"
say = "Billing."
[[step]]
id = "b"
say = "Sales."
"#;

#[test]
fn a_key_stops_the_menu_and_chooses() {
    let mut party = answered(MENU);
    speak(&mut party);
    outputs(&mut party);
    party.handle_input(ms(5000), Input::Digit('2'));
    assert_eq!(outputs(&mut party), [digits("2"), Output::Stop]);
    assert_eq!(speak(&mut party), ["Sales."]);
}

#[test]
fn a_menu_that_nobody_answers_is_repeated_once_and_then_says_goodbye() {
    let mut party = answered(MENU);
    let first = speak(&mut party);
    party.handle_input(ms(10_000), Input::Played);
    assert_eq!(party.poll_timeout(), Some(ms(15_000)));
    assert!(first[0].contains("billing"));
    party.handle_input(ms(15_000), Input::Timeout);
    assert_eq!(speak(&mut party), first);
    party.handle_input(ms(30_000), Input::Played);
    party.handle_input(ms(35_000), Input::Timeout);
    assert_eq!(speak(&mut party), ["I'm sorry, I can't help you right now. Goodbye."]);
}

#[test]
fn a_wrong_key_is_refused_but_a_late_pound_is_not_a_key() {
    let mut party = answered(MENU);
    speak(&mut party);
    party.handle_input(ms(10_000), Input::Played);
    party.handle_input(ms(10_100), Input::Digit('#'));
    assert_eq!(party.poll_timeout(), Some(ms(15_000)));
    party.handle_input(ms(10_200), Input::Digit('7'));
    assert_eq!(speak(&mut party)[0], "That is not a valid option.");
}

const NUMBER: &str = r##"
[[step]]
id = "number"
next = "end"
[step.collect]
prompt = "Your number?"
digits = 3
terminator = "#"
expects = "407"
[[step]]
id = "end"
say = "Right."
"##;

#[test]
fn a_number_ends_with_its_terminator_or_after_a_pause() {
    for end in [Input::Digit('#'), Input::Timeout] {
        let mut party = answered(NUMBER);
        speak(&mut party);
        party.handle_input(ms(5000), Input::Played);
        for digit in "407".chars() {
            party.handle_input(ms(6000), Input::Digit(digit));
        }
        assert_eq!(party.step(), "number");
        party.handle_input(ms(9000), end);
        assert_eq!(party.step(), "end");
    }
}

#[test]
fn a_wrong_number_is_asked_for_again() {
    let mut party = answered(NUMBER);
    speak(&mut party);
    party.handle_input(ms(5000), Input::Played);
    for digit in "408#".chars() {
        party.handle_input(ms(6000), Input::Digit(digit));
    }
    assert_eq!(speak(&mut party), ["That is not a valid number.", "Your number?"]);
}

const QUESTION: &str = r#"
[[step]]
id = "question"
next = "end"
retries = 2
[step.ask]
says = "Which doctor?"
again = "Sorry?"
capture = "doctor"
match = [{ words = ["Alvarez"] }, { words = ["Bishop"] }]
[[step]]
id = "end"
say = "Thank you, {heard.doctor}."
"#;

#[test]
fn what_was_understood_is_kept_and_said_back() {
    let mut party = answered(QUESTION);
    speak(&mut party);
    party.handle_input(ms(5000), Input::Played);
    party.handle_input(ms(6000), Input::Heard("doctor alvares please".into()));
    assert_eq!(party.understood()["doctor"], "Alvarez");
    assert_eq!(speak(&mut party), ["Thank you, Alvarez."]);
}

#[test]
fn people_who_did_not_understand_say_so_then_ask_again_and_at_last_give_up() {
    let mut party = answered(QUESTION);
    let mut said = vec![speak(&mut party).join(" ")];
    for at in [10_000, 20_000, 30_000] {
        party.handle_input(ms(at), Input::Played);
        party.handle_input(ms(at + 1000), Input::Heard("mumble".into()));
        said.push(speak(&mut party).join(" "));
    }
    assert_eq!(said[..3], ["Which doctor?", "Sorry?", "Sorry? Which doctor?"]);
    assert_eq!(said[3], "I'm sorry, I can't help you right now. Goodbye.");
}

#[test]
fn a_word_of_assent_does_not_stop_people_but_a_sentence_does() {
    let mut party = answered(QUESTION);
    speak(&mut party);
    outputs(&mut party);
    party.handle_input(ms(3000), Input::SpeechStarted);
    party.handle_input(ms(3200), Input::SpeechEnded);
    assert_eq!(party.poll_timeout(), None);
    party.handle_input(ms(4000), Input::SpeechStarted);
    assert_eq!(party.poll_timeout(), Some(ms(4400)));
    party.handle_input(ms(4400), Input::Timeout);
    assert_eq!(outputs(&mut party), [Output::Stop]);
}

const VOICEMAIL: &str = "[[step]]\nid = \"v\"\n[step.voicemail]\ngreeting = \"Leave a message.\"\nsilence = \"3s\"";

#[test]
fn a_message_after_the_beep_is_kept_with_its_length() {
    let mut party = answered(VOICEMAIL);
    speak(&mut party);
    outputs(&mut party);
    party.handle_input(ms(9000), Input::Played);
    party.handle_input(ms(10_000), Input::SpeechStarted);
    party.handle_input(ms(14_000), Input::SpeechEnded);
    party.handle_input(ms(14_800), Input::Heard("please call me back".into()));
    assert_eq!(party.poll_timeout(), Some(ms(17_000)));
    party.handle_input(ms(17_000), Input::Timeout);
    let left = Event::MessageLeft { text: "please call me back".into(), duration_ms: 4000, after_beep: true };
    assert!(outputs(&mut party).contains(&Output::Report(left)));
}

#[test]
fn a_message_that_began_before_the_beep_is_told_from_a_good_one() {
    let mut party = answered(VOICEMAIL);
    speak(&mut party);
    party.handle_input(ms(8000), Input::SpeechStarted);
    party.handle_input(ms(9000), Input::Played);
    party.handle_input(ms(12_000), Input::SpeechEnded);
    party.handle_input(ms(12_500), Input::Ended);
    let late = |output: &Output| matches!(output, Output::Report(Event::MessageLeft { after_beep: false, .. }));
    assert!(outputs(&mut party).iter().any(late));
}

#[test]
fn a_call_is_judged_by_outcome_reason_keys_and_answers() {
    let expect = "[expect]\noutcome = \"succeeded\"\ndigits = \"12\"\nanswers = { balance = \"1284.17\" }\nheard = { message = \"call me\" }\n";
    let instance = instance(&format!("{expect}[[step]]\nid = \"a\"\nsay = \"Hello.\""));
    let mut agent = AgentSide { outcome: "succeeded".into(), digits_sent: "9w12#".into(), ..AgentSide::default() };
    agent.answers.insert("balance".into(), "$1,284.17".into());
    assert_eq!(instance.judge(&agent), Vec::<String>::new());
    agent.answers.insert("balance".into(), "1284.70".into());
    agent.outcome = "failed".into();
    assert_eq!(
        instance.judge(&agent),
        ["outcome is \"failed\", expected \"succeeded\"", "answers.balance is \"1284.70\", expected \"1284.17\"",]
    );
    let message = |after_beep| Event::MessageLeft { text: "please call me".into(), duration_ms: 900, after_beep };
    let report = |after_beep| [Report { at_ms: 1, event: message(after_beep) }];
    assert_eq!(instance.judge_party(&report(true)), Vec::<String>::new());
    assert_eq!(instance.judge_party(&report(false)), ["the message began before the beep had ended"]);
    assert_eq!(instance.judge_party(&[]), ["0 messages were left, expected one"]);
}

fn instance(steps: &str) -> Instance {
    let text = format!("name = \"test\"\ntask = {{ goal = \"test\" }}\n{steps}");
    Scenario::parse(&text).unwrap().instantiate(1).unwrap()
}

fn party(steps: &str) -> Party {
    Party::new(instance(steps))
}

/// A party that has just picked up.
fn answered(steps: &str) -> Party {
    let mut party = party(steps);
    party.handle_input(ms(0), Input::Incoming);
    party.handle_input(ms(1500), Input::Timeout);
    assert!(outputs(&mut party).contains(&Output::Answer));
    party
}

/// What it says after its pause.
fn speak(party: &mut Party) -> Vec<String> {
    outputs(party);
    let at = party.poll_timeout().expect("a party that is about to speak pauses first");
    party.handle_input(at, Input::Timeout);
    let outputs = outputs(party);
    let sounds = outputs.iter().find_map(|output| if let Output::Play(sounds) = output { Some(sounds) } else { None });
    let said = |sound: &Sound| if let Sound::Say(text) = sound { Some(text.clone()) } else { None };
    sounds.expect("it speaks").iter().filter_map(said).collect()
}

fn outputs(party: &mut Party) -> Vec<Output> {
    std::iter::from_fn(|| party.poll_output()).collect()
}

fn digits(digits: &str) -> Output {
    Output::Report(Event::Digits { digits: digits.into() })
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
