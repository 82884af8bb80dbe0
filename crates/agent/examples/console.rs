//! Be the one who is called: type what you say, read what the agent answers. No telephone needed.
//!
//! ```text
//! cargo run -p agent --example console -- "Book an appointment on Tuesday" "name=Martin Keller" day=Tuesday
//! ```
//!
//! An empty line lets time pass until the agent loses its patience.

#![allow(clippy::print_stdout)] // it is what an example in a terminal is for

use std::io::BufRead;
use std::time::{Duration, Instant};

use agent::{Conversation, ConversationConfig, Input, Limits, Output, Task};
use gateway::{CallEnd, EndCause};

/// How long each thing said takes; the clock of this example is simulated.
const SENTENCE: Duration = Duration::from_secs(2);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let goal = arguments.next().unwrap_or_else(|| "Ask for the opening hours".to_owned());
    let facts = arguments
        .filter_map(|fact| fact.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())))
        .collect();
    let config = ConversationConfig {
        task: Some(Task { goal, facts }),
        on_behalf_of: None,
        greeting: None,
        consent: None,
        system_prompt: None,
        limits: Limits {
            call: Duration::from_secs(600),
            silence_nudges: 3,
            silence: Duration::from_secs(8),
            hold: Duration::from_secs(600),
            tool_calls: 100,
        },
        today: jiff::Zoned::now().date(),
        model: false,
    };
    let mut conversation = Conversation::new(config, [0; 32]);
    let mut now = Instant::now();
    let mut over = step(&mut conversation, &mut now, Input::Answered, "");
    let mut lines = std::io::stdin().lock().lines();
    while !over {
        let Some(Ok(said)) = lines.next() else { break };
        if said.trim().is_empty() {
            now = conversation.poll_timeout().map_or(now, |deadline| deadline.at.max(now));
            over = step(&mut conversation, &mut now, Input::Timeout, "");
            continue;
        }
        over = step(&mut conversation, &mut now, Input::SpeechStarted, &said);
        over |= step(&mut conversation, &mut now, Input::Interim(said.clone()), &said);
        now += SENTENCE;
        let ended = Input::SpeechEnded { at: now };
        over |= step(&mut conversation, &mut now, ended, &said);
    }
    let end = CallEnd::because(EndCause::HungUp);
    println!("{:#?}", conversation.into_outcome(end).result);
}

/// Hands one input over and does what is wanted, until only silence is waited for. True when it hung up.
fn step(conversation: &mut Conversation, now: &mut Instant, input: Input, said: &str) -> bool {
    let mut inputs = vec![input];
    let mut over = false;
    loop {
        for input in std::mem::take(&mut inputs) {
            conversation.handle_input(*now, input);
        }
        while let Some(output) = conversation.poll_output() {
            match output {
                Output::Say { utterance, text } => {
                    println!("agent: {text}");
                    inputs.push(Input::Started { utterance, at: *now });
                    inputs.push(Input::Played { utterance, duration: SENTENCE, finished: true });
                }
                Output::Press { digits, .. } => {
                    println!("agent presses {digits}");
                    inputs.push(Input::DigitsSent);
                }
                Output::FinishRecognition => {
                    inputs.push(Input::Final { text: said.to_lowercase(), start_ms: 0, end_ms: 0 });
                }
                Output::HangUp => {
                    println!("agent hangs up");
                    over = true;
                }
                Output::Flush(_) | Output::AskPolicy(_) | Output::CancelPolicy | Output::Event(_) => {}
            }
        }
        if !inputs.is_empty() {
            continue;
        }
        // While they speak nothing is due; their silence ends their turn.
        match conversation.poll_timeout() {
            Some(deadline) if deadline.timer == "end of turn" && !over => {
                *now = (*now).max(deadline.at);
                inputs.push(Input::Timeout);
            }
            _ => return over,
        }
    }
}
