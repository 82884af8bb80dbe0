//! Whole conversations on a simulated clock: what they say goes in, a trace of what we do comes out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use gateway::{CallEnd, EndCause};
use media::UtteranceId;
use media::ear::Tone;

use super::{Conversation, ConversationConfig, Input, Output};
use crate::{AgentCommand, AgentEvent, Limits, Outcome, Refused, Speaker, Task};

/// A conversation with a line that plays, presses and recognises perfectly.
struct Talk {
    start: Instant,
    now: Instant,
    conversation: Conversation,
    /// What will happen because of what was ordered.
    coming: Vec<(Instant, Input)>,
    /// Words spoken since the recogniser last finished.
    unheard: String,
    trace: Vec<String>,
    /// What was heard of us, as the transcript has it.
    transcript: Vec<String>,
    playing_until: Instant,
}

impl Talk {
    fn new(goal: &str, facts: &[(&str, &str)]) -> Self {
        Self::with(Some((goal, facts)), false)
    }

    fn with(task: Option<(&str, &[(&str, &str)])>, model: bool) -> Self {
        Self::announcing(None, task, model)
    }

    fn announcing(consent: Option<&str>, task: Option<(&str, &[(&str, &str)])>, model: bool) -> Self {
        let start = crate::testing::start();
        let task = task.map(|(goal, facts)| Task {
            goal: goal.to_owned(),
            facts: facts
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>(),
        });
        let limits = Limits {
            call: Duration::from_secs(600),
            silence_nudges: 3,
            silence: Duration::from_secs(7),
            hold: Duration::from_secs(600),
            tool_calls: 100,
        };
        let config = ConversationConfig {
            task,
            on_behalf_of: None,
            greeting: None,
            consent: consent.map(str::to_owned),
            system_prompt: None,
            limits,
            today: jiff::civil::Date::constant(2026, 11, 21),
            model,
        };
        let mut talk = Self {
            start,
            now: start,
            conversation: Conversation::new(config, [7; 32]),
            coming: Vec::new(),
            unheard: String::new(),
            trace: Vec::new(),
            transcript: Vec::new(),
            playing_until: start,
        };
        talk.input(Input::Answered);
        talk
    }

    /// They say something, at 60 ms a letter; then time passes until we have answered.
    fn they(&mut self, text: &str) -> &mut Self {
        self.begin(text);
        self.settle()
    }

    /// They say something; time stops when their voice does.
    fn begin(&mut self, text: &str) -> &mut Self {
        self.trace.push(format!("{:>5.1} they: {text}", self.seconds()));
        self.input(Input::SpeechStarted);
        self.unheard = format!("{} {text}", self.unheard).trim().to_owned();
        let length = Duration::from_millis(60 * text.len() as u64);
        self.pass(length.min(Duration::from_millis(250)));
        self.input(Input::Interim(self.unheard.clone()));
        self.pass(length.saturating_sub(Duration::from_millis(250)));
        let ended = self.now;
        self.pass(Duration::from_millis(200));
        self.input(Input::SpeechEnded { at: ended });
        self
    }

    /// Until nothing but silence is waited for.
    fn settle(&mut self) -> &mut Self {
        for _ in 0..200 {
            let deadline = self
                .conversation
                .poll_timeout()
                .filter(|deadline| deadline.timer != "silence")
                .map(|deadline| deadline.at);
            let Some(at) = self.coming.iter().map(|(at, _)| *at).chain(deadline).min() else { break };
            self.pass(at.saturating_duration_since(self.now));
        }
        self
    }

    fn wait(&mut self, seconds: f64) -> &mut Self {
        self.pass(Duration::from_secs_f64(seconds));
        self.settle()
    }

    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        loop {
            let next = self
                .coming
                .iter()
                .map(|(at, _)| *at)
                .chain(self.conversation.poll_timeout().map(|deadline| deadline.at))
                .min();
            match next.filter(|at| *at <= until) {
                Some(at) => {
                    self.now = self.now.max(at);
                    let due = self.coming.iter().position(|(due, _)| *due <= self.now);
                    let input = due.map_or(Input::Timeout, |i| self.coming.remove(i).1);
                    self.input(input);
                }
                None => break,
            }
        }
        self.now = self.now.max(until);
    }

    fn input(&mut self, input: Input) {
        self.conversation.handle_input(self.now, input);
        while let Some(output) = self.conversation.poll_output() {
            self.output(output);
        }
    }

    fn output(&mut self, output: Output) {
        let seconds = self.seconds();
        match output {
            Output::Say { utterance, text } => {
                self.trace.push(format!("{seconds:>5.1} say: {text}"));
                let length = Duration::from_millis(60 * text.len() as u64);
                let begin = self.now.max(self.playing_until) + Duration::from_millis(80);
                self.playing_until = begin + length;
                self.coming.push((self.now, Input::Synthesised { utterance, length }));
                self.coming.push((begin, Input::Started { utterance, at: begin }));
                self.coming.push((begin + length, Input::Played { utterance, duration: length, finished: true }));
            }
            Output::Flush(UtteranceId(up_to)) => {
                self.trace.push(format!("{seconds:>5.1} flush"));
                let mut sounding = None;
                self.coming.retain(|(at, input)| match input {
                    Input::Played { utterance, duration, .. } if utterance.0 <= up_to => {
                        let begin = *at - *duration;
                        if begin <= self.now {
                            sounding = Some((*utterance, self.now - begin));
                        }
                        false
                    }
                    Input::Started { utterance, .. } => utterance.0 > up_to,
                    _ => true,
                });
                self.playing_until = self.now;
                if let Some((utterance, duration)) = sounding {
                    self.coming.push((self.now, Input::Played { utterance, duration, finished: false }));
                }
            }
            Output::Press { digits, differently } => {
                self.trace
                    .push(format!("{seconds:>5.1} press: {digits}{}", if differently { " differently" } else { "" }));
                self.coming.push((self.now + Duration::from_millis(200 * digits.len() as u64), Input::DigitsSent));
            }
            Output::FinishRecognition => {
                let text = std::mem::take(&mut self.unheard);
                self.coming.push((self.now + Duration::from_millis(60), Input::Final { text, start_ms: 0, end_ms: 0 }));
            }
            Output::AskPolicy(_) => self.trace.push(format!("{seconds:>5.1} ask the model")),
            Output::CancelPolicy => self.trace.push(format!("{seconds:>5.1} cancel the model")),
            Output::HangUp => self.trace.push(format!("{seconds:>5.1} hang up")),
            Output::Event(AgentEvent::Nudged { count, .. }) => self.trace.push(format!("{seconds:>5.1} nudge {count}")),
            Output::Event(AgentEvent::Hold { holding, .. }) => {
                self.trace.push(format!("{seconds:>5.1} hold: {holding}"))
            }
            Output::Event(AgentEvent::AnsweredBy { answered_by, .. }) => {
                self.trace.push(format!("{seconds:>5.1} answered by: {answered_by:?}"))
            }
            Output::Event(AgentEvent::Transcript { speaker: Speaker::Agent, text, .. }) => self.transcript.push(text),
            Output::Event(_) => {}
        }
    }

    fn seconds(&self) -> f64 {
        self.now.duration_since(self.start).as_secs_f64()
    }

    fn end(self, expected: &Expect) -> Outcome {
        let outcome = self.conversation.into_outcome(CallEnd::because(EndCause::HungUp));
        let answers: Vec<String> = outcome.result.answers.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let last = format!(
            "{:?} {:?} keys {:?} {}",
            outcome.result.outcome,
            outcome.ended,
            outcome.digits_sent,
            answers.join("; ")
        );
        expected.assert_eq(&format!("{}\n{last}\n", self.trace.join("\n")));
        outcome
    }
}

const HOSPITAL: (&str, &[(&str, &str)]) = (
    "Book an appointment with Doctor Alvarez in dermatology on Tuesday",
    &[
        ("name", "Martin Keller"),
        ("date_of_birth", "1982-03-05"),
        ("doctor", "Doctor Alvarez"),
        ("day", "Tuesday"),
        ("time_of_day", "morning"),
    ],
);

#[test]
fn an_appointment_is_booked_through_a_menu_with_a_receptionist() {
    let mut talk = Talk::new(HOSPITAL.0, HOSPITAL.1);
    talk.they("thank you for calling city hospital")
        .they("for billing press one for appointments press two for the pharmacy press three")
        .they("please hold while i connect you")
        .they("appointments this is anna how can i help you")
        .they("sure can i have your name and date of birth please")
        .they("and which doctor would you like to see")
        .they("one moment please")
        .they("i have tuesday december first at ten thirty or thursday december third at two fifteen")
        .they("you are booked with doctor alvarez on tuesday december first at ten thirty your confirmation number is b twelve")
        .they("is there anything else i can help you with");
    talk.end(&expect![[r#"
          0.0 they: thank you for calling city hospital
          3.0 they: for billing press one for appointments press two for the pharmacy press three
          9.0 answered by: Ivr
          9.0 press: 2
          9.2 they: please hold while i connect you
         12.5 hold: true
         12.5 they: appointments this is anna how can i help you
         15.6 hold: false
         15.6 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to book an appointment with Doctor Alvarez in dermatology on Tuesday, please.
         25.2 they: sure can i have your name and date of birth please
         28.7 say: The name is Martin Keller. The date of birth is March fifth, nineteen eighty two.
         33.6 they: and which doctor would you like to see
         36.4 say: Doctor Alvarez, please.
         37.8 they: one moment please
         39.6 hold: true
         39.6 they: i have tuesday december first at ten thirty or thursday december third at two fifteen
         45.5 hold: false
         45.5 say: Yes, Tuesday December first at ten thirty works, please.
         48.9 they: you are booked with doctor alvarez on tuesday december first at ten thirty your confirmation number is b twelve
         56.3 say: Thank you very much. Goodbye.
         58.1 hang up
         58.1 they: is there anything else i can help you with
        Succeeded Some(Completed) keys "2" confirmation=B12; date=December 1; doctor=Alvarez; time=10:30
    "#]]);
}

#[test]
fn a_balance_is_heard_after_keyed_numbers() {
    let mut talk = Talk::new("Find out the balance of the account", &[("account_number", "48213077"), ("pin", "4821")]);
    talk.they("welcome to first bank")
        .they("please enter your eight digit account number followed by the pound key")
        .they("you entered four eight two one three oh seven seven if this is correct press one otherwise press two")
        .they("please enter your four digit pin")
        .they("your current balance is one thousand two hundred eighty four dollars and seventeen cents");
    talk.end(&expect![[r#"
          0.0 they: welcome to first bank
          2.2 they: please enter your eight digit account number followed by the pound key
          7.8 answered by: Ivr
          7.8 press: 48213077#
          9.6 they: you entered four eight two one three oh seven seven if this is correct press one otherwise press two
         17.0 press: 1
         17.2 they: please enter your four digit pin
         20.5 press: 4821
         21.3 they: your current balance is one thousand two hundred eighty four dollars and seventeen cents
         28.0 hang up
        Succeeded Some(Completed) keys "48213077#14821" balance=1284.17
    "#]]);
}

#[test]
fn a_message_is_left_whole_after_the_beep() {
    let mut talk =
        Talk::new("Leave a message", &[("name", "Martin Keller"), ("message", "The car is ready to be picked up.")]);
    talk.begin("hi this is john i'm not available right now please leave a message after the tone");
    talk.pass(Duration::from_millis(800));
    talk.input(Input::Tone(Tone::Beep));
    talk.settle();
    talk.end(&expect![[r#"
          0.0 they: hi this is john i'm not available right now please leave a message after the tone
          5.9 answered by: Machine
          6.3 say: Hello, this is an automated assistant calling on behalf of Martin Keller. The car is ready to be picked up.
         12.8 hang up
        Partial Some(MessageLeft) keys "" 
    "#]]);
}

#[test]
fn hold_is_waited_through_until_a_person_speaks() {
    let mut talk = Talk::new("Reach the billing department and ask about invoice 4471", &[("name", "Martin Keller")]);
    talk.they("all of our agents are busy please hold");
    talk.input(Input::Music(true));
    talk.wait(45.0);
    talk.they("your call is important to us");
    talk.wait(30.0);
    talk.input(Input::Music(false));
    talk.they("hello billing department this is dave");
    talk.they("invoice four four seven one was paid on monday");
    talk.end(&expect![[r#"
          0.0 they: all of our agents are busy please hold
          3.0 answered by: Ivr
          3.0 hold: true
         48.0 they: your call is important to us
         81.1 they: hello billing department this is dave
         84.2 hold: false
         84.2 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to ask about invoice 4471, please.
         91.3 they: invoice four four seven one was paid on monday
         94.8 say: Thank you very much. Goodbye.
         96.7 hang up
        Succeeded Some(Completed) keys "" department=billing; status=invoice four four seven one was paid on monday
    "#]]);
}

#[test]
fn silence_is_asked_about_three_times_then_the_call_ends() {
    let mut talk = Talk::new(HOSPITAL.0, HOSPITAL.1);
    talk.they("hello").wait(60.0);
    talk.end(&expect![[r#"
          0.0 they: hello
          0.8 answered by: Human
          0.8 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to book an appointment with Doctor Alvarez in dermatology on Tuesday, please.
         17.7 nudge 1
         17.7 say: Are you still there?
         26.3 nudge 2
         26.3 say: Hello? Can you hear me?
         35.0 nudge 3
         35.0 say: Hello, are you there?
         43.6 say: I can't hear you, so I will end the call now. Goodbye.
         46.9 hang up
        Failed Some(Silence) keys "" 
    "#]]);
}

#[test]
fn talking_over_us_stops_us_and_what_was_not_played_was_not_said() {
    let mut talk = Talk::new(HOSPITAL.0, HOSPITAL.1);
    talk.begin("hello");
    talk.wait_until_sounding(2.0);
    talk.they("sorry what is your name");
    talk.end(&expect![[r#"
          0.0 they: hello
          0.8 answered by: Human
          0.8 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to book an appointment with Doctor Alvarez in dermatology on Tuesday, please.
          2.8 they: sorry what is your name
          3.0 flush
          4.6 say: The name is Martin Keller.
        Failed None keys "" 
    "#]]);
}

#[test]
fn a_fact_that_is_missing_is_not_made_up() {
    let mut talk = Talk::new("Book an appointment", &[("name", "Martin Keller")]);
    talk.they("front desk how can i help you")
        .they("what is your date of birth and your phone number")
        .they("are you a robot")
        .they("okay goodbye");
    let outcome = talk.end(&expect![[r#"
          0.0 they: front desk how can i help you
          2.2 answered by: Human
          2.2 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to book an appointment, please.
          9.1 they: what is your date of birth and your phone number
         12.4 say: I'm sorry, I don't have the date of birth or the phone number.
         16.2 they: are you a robot
         17.6 say: Yes, I'm an AI assistant calling on behalf of Martin Keller.
         21.3 they: okay goodbye
         22.4 say: Thank you. Goodbye.
         23.7 hang up
        Failed Some(Completed) keys "" 
    "#]]);
    let told = "They asked for the date of birth and the phone number, which the task does not give.";
    assert!(outcome.result.summary.contains(told), "{}", outcome.result.summary);
}

#[test]
fn rules_decide_when_the_model_does_not_answer() {
    let mut talk = Talk::with(Some(HOSPITAL), true);
    talk.they("may i have your name please");
    talk.wait(13.0);
    talk.end(&expect![[r#"
          0.0 they: may i have your name please
          2.1 answered by: Human
          2.1 ask the model
         14.1 cancel the model
         14.1 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to book an appointment with Doctor Alvarez in dermatology on Tuesday, please. The name is Martin Keller.
         32.6 nudge 1
         32.6 say: Are you still there?
        Failed None keys "" 
    "#]]);
}

#[test]
fn three_menus_lead_to_the_department_and_a_repeat_is_noticed() {
    let mut talk = Talk::new("Reach the billing department and ask about invoice 4471", &[("name", "Martin Keller")]);
    talk.they("thank you for calling acme please listen carefully as our menu options have changed")
        .they("press one for sales press two for customer service press three for careers")
        .wait(7.0)
        .they("press one for sales press two for customer service press three for careers")
        .they(
            "for technical support press one for billing and payments press two to return to the main menu press star",
        )
        .they(
            "for technical support press one for billing and payments press two to return to the main menu press star",
        )
        .they("for invoices press or say one for refunds press or say two")
        .they("you have reached the billing department our hours are nine a m to five p m monday through friday");
    talk.end(&expect![[r#"
          0.0 they: thank you for calling acme please listen carefully as our menu options have changed
          6.4 answered by: Ivr
          6.4 they: press one for sales press two for customer service press three for careers
         18.2 press: 2
         19.2 they: press one for sales press two for customer service press three for careers
         25.1 press: 2
         25.3 they: for technical support press one for billing and payments press two to return to the main menu press star
         32.9 press: 2
         33.1 they: for technical support press one for billing and payments press two to return to the main menu press star
         40.7 press: 2
         40.9 they: for invoices press or say one for refunds press or say two
         45.8 press: 1
         46.0 they: you have reached the billing department our hours are nine a m to five p m monday through friday
        Succeeded None keys "22221" department=billing; hours=9:00 to 17:00
    "#]]);
}

#[test]
fn a_machine_that_wants_what_we_do_not_have_is_asked_for_a_person() {
    let mut talk = Talk::new("Find out the balance of the account", &[("name", "Martin Keller")]);
    talk.they("please enter your account number followed by the pound key")
        .wait(9.0)
        .they("sorry i did not get that please enter your account number")
        .wait(20.0);
    talk.end(&expect![[r#"
          0.0 they: please enter your account number followed by the pound key
          4.9 answered by: Ivr
          4.9 press: 0
         13.1 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to find out the balance of the account, please.
         21.0 they: sorry i did not get that please enter your account number
         25.8 hang up
        Failed Some(Completed) keys "0" 
    "#]]);
}

#[test]
fn a_receptionist_who_reads_back_and_offers_another_day_is_answered() {
    let mut talk = Talk::new(HOSPITAL.0, HOSPITAL.1);
    talk.they("good morning dermatology this is anna speaking how may i help you")
        .they("may i have your full name")
        .they("that was martin keller is that correct")
        .they("i have wednesday december second at nine or friday at three would either work")
        .they("let me see i can do tuesday december first at eleven fifteen does that work for you")
        .they("and a phone number in case we need to reach you")
        .they("alright you're all set for tuesday december first at eleven fifteen with doctor alvarez")
        .wait(3.0);
    talk.end(&expect![[r#"
          0.0 they: good morning dermatology this is anna speaking how may i help you
          4.3 answered by: Human
          4.3 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to book an appointment with Doctor Alvarez in dermatology on Tuesday, please.
         14.0 they: may i have your full name
         16.0 say: The name is Martin Keller.
         17.6 they: that was martin keller is that correct
         20.4 say: Yes, that is correct.
         21.7 they: i have wednesday december second at nine or friday at three would either work
         27.1 say: Do you have anything on Tuesday in the morning?
         30.0 they: let me see i can do tuesday december first at eleven fifteen does that work for you
         35.7 say: Yes, Tuesday December first at eleven fifteen works, please.
         39.4 they: and a phone number in case we need to reach you
         42.9 say: I'm sorry, I don't have the phone number.
         45.5 they: alright you're all set for tuesday december first at eleven fifteen with doctor alvarez
         53.0 say: Thank you very much. Goodbye.
         54.8 hang up
        Succeeded Some(Completed) keys "" date=December 1; doctor=Alvarez; time=11:15
    "#]]);
}

#[test]
fn who_wants_no_calls_is_not_called_again() {
    let mut talk = Talk::new(HOSPITAL.0, HOSPITAL.1);
    talk.they("hello").they("please take me off your list and do not call again");
    talk.end(&expect![[r#"
          0.0 they: hello
          0.8 answered by: Human
          0.8 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to book an appointment with Doctor Alvarez in dermatology on Tuesday, please.
         10.4 they: please take me off your list and do not call again
         14.2 say: I'm sorry for the disturbance. We will not call again. Goodbye.
         18.0 hang up
        Failed Some(DoNotCall) keys "" 
    "#]]);
}

#[test]
fn an_inbound_caller_is_heard_and_noted() {
    let mut talk = Talk::with(None, false);
    talk.settle().they("hi please tell martin that the car is ready").they("no thank you");
    talk.end(&expect![[r#"
          0.0 say: Hello, this is an automated assistant. How can I help you?
          3.6 they: hi please tell martin that the car is ready
          7.0 say: Thank you. I have taken a note of that. Is there anything else?
         10.9 they: no thank you
         12.4 say: Thank you for calling. Goodbye.
         14.3 hang up
        Succeeded Some(Completed) keys "" message=hi please tell martin that the car is ready
    "#]]);
}

#[test]
fn a_call_that_nobody_answers_has_a_result() {
    let config = ConversationConfig {
        task: None,
        on_behalf_of: None,
        greeting: None,
        consent: None,
        system_prompt: None,
        limits: Limits {
            call: Duration::from_secs(600),
            silence_nudges: 3,
            silence: Duration::from_secs(7),
            hold: Duration::from_secs(600),
            tool_calls: 100,
        },
        today: jiff::civil::Date::constant(2026, 11, 21),
        model: false,
    };
    let outcome = Conversation::new(config, [0; 32]).into_outcome(CallEnd {
        sip_status: Some(486),
        reason: Some("Busy Here".to_owned()),
        ..CallEnd::because(EndCause::Busy)
    });
    assert_eq!((outcome.result.summary.as_str(), outcome.answered_by), ("The line was busy (Busy Here).", None));
}

#[test]
fn no_question_makes_the_agent_invent_what_it_was_not_given() {
    const NUMBERS: &[&str] =
        &["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero", "ten", "twenty"];
    for (key, _, questions) in crate::facts::KNOWN {
        for question in questions.iter().filter(|_| *key != "reason") {
            let mut talk = Talk::new("Book an appointment", &[]);
            talk.they(&format!("can you tell me {question}"));
            let said: Vec<&String> = talk.trace.iter().filter(|line| line.contains(" say: ")).collect();
            let said = said.iter().map(|line| line.split(" say: ").nth(1).unwrap_or("")).collect::<Vec<_>>().join(" ");
            let honest = said.contains("don't have") || said.contains("This is an automated assistant.");
            assert!(honest, "{key}, {question:?}: {said:?}");
            let words = crate::text::words(&said);
            let invents =
                words.iter().any(|word| NUMBERS.contains(&word.as_str()) || word.bytes().any(|b| b.is_ascii_digit()));
            assert!(!invents, "{key}, {question:?}: {said:?}");
        }
    }
}

#[test]
fn misheard_talk_still_books() {
    let mut talk = Talk::new(HOSPITAL.0, HOSPITAL.1);
    talk.they("thank you four calling city hospital four billing rest one four appointment press to four pharmacy dress three")
        .they("scheduling this is anna how can i help")
        .they("there is tuesday december first at ten thirty and thursday at two fifteen")
        .they("so you are looked for tuesday december first at ten thirty thank you")
        .wait(3.0);
    talk.end(&expect![[r#"
          0.0 they: thank you four calling city hospital four billing rest one four appointment press to four pharmacy dress three
          8.0 answered by: Ivr
          8.0 press: 2
          8.2 they: scheduling this is anna how can i help
         10.9 say: Hello, this is an automated assistant calling on behalf of Martin Keller. I'd like to book an appointment with Doctor Alvarez in dermatology on Tuesday, please.
         20.6 they: there is tuesday december first at ten thirty and thursday at two fifteen
         25.7 say: Yes, Tuesday December first at ten thirty works, please.
         29.2 they: so you are looked for tuesday december first at ten thirty thank you
         35.5 say: Thank you very much. Goodbye.
         37.3 hang up
        Succeeded Some(Completed) keys "2" date=December 1; time=10:30
    "#]]);
}

impl Talk {
    /// Passes their turn and so much of our answer.
    fn wait_until_sounding(&mut self, seconds: f64) {
        while !self.coming.iter().any(|(_, input)| matches!(input, Input::Played { .. })) {
            let Some(deadline) = self.conversation.poll_timeout() else { return };
            let at = self.coming.iter().map(|(at, _)| *at).min().map_or(deadline.at, |at| at.min(deadline.at));
            self.pass(at.saturating_duration_since(self.now));
        }
        self.pass(Duration::from_secs_f64(seconds));
    }
}

#[test]
fn a_machine_that_only_repeats_itself_later_is_sent_keys_another_way() {
    let menu = "for sales press one for billing press two for careers press three";
    let mut talk = Talk::new("Reach the billing department", &[]);
    talk.they(menu);
    talk.wait(4.0).they(menu);
    talk.end(&expect![[r#"
          0.0 they: for sales press one for billing press two for careers press three
          5.3 answered by: Ivr
          5.3 press: 2
          9.5 they: for sales press one for billing press two for careers press three
         14.8 press: 2 differently
        Failed None keys "22" 
    "#]]);
}

#[test]
fn hours_that_were_misheard_are_asked_for_again() {
    let mut talk = Talk::new("Ask for the opening hours", &[]);
    talk.they("hello this is susan how can i help you")
        .they("are you asking about our opening hours")
        .they("of course our hours are eighth in the morning until six in the evening anything else")
        .they("we are open from eight in the morning until six in the evening");
    talk.end(&expect![[r#"
          0.0 they: hello this is susan how can i help you
          2.7 answered by: Human
          2.7 say: Hello, this is an automated assistant. I'd like to ask for the opening hours, please.
          7.9 they: are you asking about our opening hours
         10.6 say: Yes, please. What are your opening hours?
         13.2 they: of course our hours are eighth in the morning until six in the evening anything else
         18.7 say: I'm sorry, could you repeat the opening hours, please?
         22.0 they: we are open from eight in the morning until six in the evening
         26.5 say: Thank you very much. Goodbye.
         28.3 hang up
        Succeeded Some(Completed) keys "" hours=8:00 to 18:00
    "#]]);
}

#[test]
fn a_final_that_never_comes_is_not_waited_for_for_ever() {
    let mut talk = Talk::new("Ask for the opening hours", &[]);
    talk.begin("hello this is susan");
    talk.pass(Duration::from_millis(110));
    talk.coming.clear();
    talk.wait(10.0);
    talk.input(Input::Final { text: "hello this is susan".to_owned(), start_ms: 0, end_ms: 0 });
    talk.they("how can i help you");
    talk.end(&expect![[r#"
          0.0 they: hello this is susan
         11.4 they: how can i help you
         13.0 answered by: Human
         13.0 say: Hello, this is an automated assistant. I'd like to ask for the opening hours, please.
        Failed None keys "" 
    "#]]);
}

#[test]
fn orders_are_taken_while_we_talk_and_as_many_as_can_be_queued() {
    let press = |keys: usize| AgentCommand::Press("5".repeat(keys));
    let say = || AgentCommand::Say("one moment please".to_owned());
    let mut talk = Talk::new(HOSPITAL.0, HOSPITAL.1);
    assert_eq!(
        (talk.conversation.takes(&press(128)), talk.conversation.takes(&press(129))),
        (Ok(()), Err(Refused::Full))
    );
    talk.input(Input::Command(press(64)));
    assert_eq!(
        (talk.conversation.takes(&press(64)), talk.conversation.takes(&press(65))),
        (Ok(()), Err(Refused::Full))
    );
    for _ in 0..16 {
        assert_eq!(talk.conversation.takes(&say()), Ok(()));
        talk.input(Input::Command(say()));
    }
    assert_eq!(talk.conversation.takes(&say()), Err(Refused::Full));
    talk.settle();
    assert_eq!((talk.conversation.takes(&say()), talk.conversation.takes(&press(128))), (Ok(()), Ok(())));

    talk.input(Input::Command(say()));
    talk.input(Input::GiveUp(crate::AgentEnd::TimeLimit));
    assert_eq!(talk.conversation.takes(&say()), Err(Refused::Ending), "the goodbye is being said");
    assert_eq!(talk.conversation.takes(&press(1)), Err(Refused::Ending));
    assert_eq!(talk.conversation.takes(&AgentCommand::HangUp), Ok(()));
}

#[test]
fn nothing_is_said_or_pressed_before_the_answer() {
    let talk = Talk::new(HOSPITAL.0, HOSPITAL.1);
    let unanswered = Conversation::new(talk.conversation.config.clone(), [7; 32]);
    assert_eq!(unanswered.takes(&AgentCommand::Press("1".to_owned())), Err(Refused::NotAnswered));
    assert_eq!(unanswered.takes(&AgentCommand::HangUp), Ok(()));
}

const CONSENT: &str = "This call may be recorded.";
const HOURS: (&str, &[(&str, &str)]) = ("Ask for the opening hours", &[]);
const ABOUT_HOURS: &str = "Hello, this is an automated assistant. I'd like to ask for the opening hours, please.";

impl Talk {
    /// A call that is recorded; ours when there is a task.
    fn recorded(task: Option<(&str, &[(&str, &str)])>) -> Self {
        Self::announcing(Some(CONSENT), task, false)
    }

    /// What we ordered to be said, in order.
    fn said(&self) -> Vec<&str> {
        self.trace.iter().filter_map(|line| line.split_once(" say: ")).map(|(_, text)| text).collect()
    }
}

#[test]
fn a_caller_is_told_first_that_the_call_is_recorded() {
    let mut talk = Talk::recorded(None);
    talk.settle().they("hi please tell martin that the car is ready").they("no thank you");
    let opening = "Hello, this is an automated assistant. How can I help you?";
    assert_eq!(talk.said()[..2], [CONSENT, opening]);
    assert_eq!(talk.transcript[..2], [CONSENT, opening], "and the transcript has it");
    assert_eq!(talk.said().iter().filter(|text| **text == CONSENT).count(), 1);
}

#[test]
fn who_talks_over_the_announcement_hears_it_to_its_end_and_is_answered() {
    let mut talk = Talk::recorded(None);
    talk.they("hi please tell martin that the car is ready");
    assert_eq!(talk.transcript[0], CONSENT);
    assert_eq!(talk.said().last(), Some(&"Thank you. I have taken a note of that. Is there anything else?"));
}

#[test]
fn a_person_we_call_is_told_before_our_first_words_and_once() {
    let mut talk = Talk::recorded(Some(HOURS));
    talk.they("hello this is susan how can i help you");
    assert_eq!(talk.said(), [CONSENT, ABOUT_HOURS]);
    talk.they("pardon");
    assert_eq!(talk.said(), [CONSENT, ABOUT_HOURS, ABOUT_HOURS], "what is repeated is what we want");
    assert_eq!(talk.transcript, [CONSENT, ABOUT_HOURS, ABOUT_HOURS]);
}

#[test]
fn a_menu_is_not_told_and_the_person_behind_it_is() {
    let mut talk = Talk::recorded(Some(HOSPITAL));
    talk.they("for billing press one for appointments press two for the pharmacy press three")
        .they("please hold while i connect you");
    assert_eq!(talk.said(), [""; 0]);
    talk.they("appointments this is anna how can i help you");
    assert_eq!(talk.said()[0], CONSENT);
    assert!(talk.said()[1].starts_with("Hello, this is an automated assistant calling on behalf of Martin Keller."));
}

#[test]
fn what_was_told_to_a_menu_that_was_taken_for_a_person_is_told_to_the_person_behind_it() {
    let mut talk = Talk::recorded(Some(HOSPITAL));
    talk.they("thank you for calling city hospital").wait(6.0);
    assert_eq!(talk.said()[0], CONSENT);
    talk.they("for billing press one for appointments press two for the pharmacy press three");
    talk.they("appointments this is anna how can i help you");
    assert_eq!(talk.said().iter().filter(|text| **text == CONSENT).count(), 2, "{:?}", talk.trace);
}

#[test]
fn a_voicemail_gets_its_message_and_silence_a_hello_and_nothing_before_them() {
    let mut talk = Talk::recorded(Some(("Leave a message", &[("message", "The car is ready to be picked up.")])));
    talk.begin("hi this is john i'm not available right now please leave a message after the tone");
    talk.pass(Duration::from_millis(800));
    talk.input(Input::Tone(Tone::Beep));
    talk.settle();
    assert_eq!(talk.transcript.len(), 1, "{:?}", talk.transcript);
    assert!(!talk.said().contains(&CONSENT), "{:?}", talk.said());

    let mut talk = Talk::recorded(Some(HOURS));
    talk.wait(6.0);
    assert_eq!(talk.said(), ["Hello?"]);
    talk.they("hello");
    assert_eq!(talk.said()[1..], [CONSENT, ABOUT_HOURS]);
}

#[test]
fn an_announcement_that_could_not_be_said_is_due_again() {
    let mut talk = Talk::recorded(Some(HOURS));
    talk.begin("hello this is susan how can i help you");
    talk.wait_until_sounding(0.0);
    let failed = UtteranceId(1);
    talk.coming.retain(|(_, input)| match input {
        Input::Started { utterance, .. } | Input::Played { utterance, .. } => *utterance != failed,
        _ => true,
    });
    talk.input(Input::SpeechFailed(failed));
    talk.settle().they("pardon");
    assert_eq!(talk.said(), [CONSENT, ABOUT_HOURS, CONSENT, ABOUT_HOURS]);
}
