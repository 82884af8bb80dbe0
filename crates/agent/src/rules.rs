//! Pure: no I/O, no clock.
//!
//! [`Rules`]: the policy without a model. It says so: it knows patterns, not language.
//!
//! Every decision names the rule that made it. It says only what the task gave it: a fact that is
//! asked for and missing is answered with "I don't have it".

mod machine;
mod person;

pub(crate) use person::mentions_request;

use std::time::Duration;

use jiff::civil::Date;

use crate::goal::Goal;
use crate::ivr::{Navigator, Prompt, PromptKind};
use crate::learnt::Learnt;
use crate::offers::Preference;
use crate::tools::Action;
use crate::{AgentEnd, Task};

/// After a machine's sentence that wants nothing: the next one may follow.
const AFTER_STATEMENT: Duration = Duration::from_millis(2_500);
/// After a greeting that did not ask for anything.
const AFTER_GREETING: Duration = Duration::from_millis(1_800);
/// After keys: how soon a new prompt should come.
const AFTER_KEYS: Duration = Duration::from_secs(8);
/// For the rest of a menu, or its repeat.
const FOR_MENU: Duration = Duration::from_secs(6);

/// Why a decision is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The call was answered and it is ours to begin.
    Opening,
    /// They said something.
    Turn,
    /// What we waited for did not come.
    Waited,
    /// They are silent; which nudge this is, from 1.
    Nudge(u32),
}

/// What a policy decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) actions: Vec<Action>,
    /// The rule.
    pub(crate) because: &'static str,
    /// An option of a menu that was chosen: key and label.
    pub(crate) chose: Option<(String, String)>,
    /// Keys go out by another method: the prompt did not react to the last.
    pub(crate) differently: bool,
}

impl Decision {
    fn new(because: &'static str, actions: Vec<Action>) -> Self {
        Self { actions, because, chose: None, differently: false }
    }

    fn say(because: &'static str, text: impl Into<String>) -> Self {
        Self::new(because, vec![Action::Say(text.into())])
    }

    fn wait(because: &'static str, duration: Duration) -> Self {
        Self::new(because, vec![Action::Wait(duration)])
    }

    fn end(because: &'static str, farewell: Option<&str>, end: AgentEnd) -> Self {
        let mut actions: Vec<Action> = farewell.map(|text| Action::Say(text.to_owned())).into_iter().collect();
        actions.push(Action::End(end));
        Self::new(because, actions)
    }
}

/// What a rule may look at.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) cause: Cause,
    pub(crate) text: &'a str,
    pub(crate) prompt: &'a Prompt,
    /// A machine is talking to us.
    pub(crate) machine: bool,
    /// A person has talked to us.
    pub(crate) person: bool,
    /// They spoke right after our last keys.
    pub(crate) reacted: bool,
    /// They have really heard who is calling.
    pub(crate) introduced: bool,
    /// They have really heard what we want.
    pub(crate) requested: bool,
    /// The last thing of ours they heard.
    pub(crate) last_said: Option<&'a str>,
    pub(crate) learnt: &'a mut Learnt,
}

/// The policy and what it remembers.
#[derive(Debug)]
pub(crate) struct Rules {
    task: Task,
    goal: Goal,
    on_behalf_of: Option<String>,
    greeting: Option<String>,
    inbound: bool,
    today: Date,
    preference: Preference,
    navigator: Navigator,
    /// Asked for a better slot.
    asked_for_slot: u32,
    /// Turns of a person that no rule understood, in a row.
    not_understood: u32,
    /// Repeats they wanted, in a row.
    repeats: u32,
    corrections: u32,
    /// The request a machine made last, and how often it was answered.
    input: Option<(String, u32)>,
    /// The keys of the last answer to a machine.
    keyed: Option<String>,
    operator_tried: bool,
    /// Facts a person has been told, by key.
    given: std::collections::BTreeSet<String>,
    turns: u32,
}

impl Rules {
    pub(crate) fn new(task: Option<Task>, on_behalf_of: Option<String>, greeting: Option<String>, today: Date) -> Self {
        let inbound = task.is_none();
        let task = task.unwrap_or(Task { goal: String::new(), facts: std::collections::BTreeMap::new() });
        let goal = Goal::new(&task.goal, &task.facts);
        Self {
            preference: Preference::new(&task.facts, &task.goal),
            navigator: Navigator::new(&task.goal, &task.facts),
            on_behalf_of: on_behalf_of.or_else(|| task.facts.get("name").cloned()),
            goal,
            task,
            greeting,
            inbound,
            today,
            asked_for_slot: 0,
            not_understood: 0,
            repeats: 0,
            corrections: 0,
            input: None,
            keyed: None,
            operator_tried: false,
            given: std::collections::BTreeSet::new(),
            turns: 0,
        }
    }

    /// What to do now.
    pub(crate) fn decide(&mut self, context: &mut Context<'_>) -> Decision {
        self.turns += u32::from(context.cause == Cause::Turn);
        match context.cause {
            Cause::Opening => self.open(),
            Cause::Nudge(count) => self.nudge(context, count),
            Cause::Waited => self.waited(context),
            Cause::Turn if self.inbound => self.take_call(context),
            Cause::Turn if self.is_machine(context) => self.answer_machine(context),
            Cause::Turn => {
                self.navigator.leave();
                self.answer_person(context)
            }
        }
    }

    fn is_machine(&self, context: &Context<'_>) -> bool {
        matches!(context.prompt.kind, PromptKind::Menu | PromptKind::DateInput | PromptKind::NumberInput)
            || !context.prompt.menu.is_empty()
            || context.machine
    }

    /// "Hello, this is an automated assistant calling on behalf of …"
    pub(crate) fn introduction(&self) -> String {
        match &self.on_behalf_of {
            Some(name) => format!("Hello, this is an automated assistant calling on behalf of {name}."),
            None => "Hello, this is an automated assistant.".to_owned(),
        }
    }

    /// What to leave on a machine, whole.
    pub(crate) fn voicemail_message(&self) -> Option<String> {
        let message = self.goal.message(&self.task.facts)?;
        let stop = if message.ends_with(['.', '!', '?']) { "" } else { "." };
        Some(format!("{} {}{stop}", self.introduction(), crate::facts::capital(message)))
    }

    fn open(&self) -> Decision {
        let text = match &self.greeting {
            Some(greeting) => greeting.clone(),
            None if self.inbound => match &self.on_behalf_of {
                Some(name) => format!("Hello, this is the automated assistant of {name}. How can I help you?"),
                None => "Hello, this is an automated assistant. How can I help you?".to_owned(),
            },
            None => format!("{} {}", self.introduction(), self.goal.request()),
        };
        Decision::say("opening", text)
    }

    fn nudge(&mut self, context: &mut Context<'_>, count: u32) -> Decision {
        if context.machine && !context.person {
            return self.waited(context);
        }
        if !self.inbound && !context.introduced {
            return if count == 1 && context.text.is_empty() {
                Decision::say("nudge.hello", "Hello?")
            } else {
                self.open()
            };
        }
        match count {
            1 => Decision::say("nudge", "Are you still there?"),
            2 => match context.last_said.filter(|said| said.contains('?') || said.contains("like to")) {
                Some(said) if !said.contains("still there") => Decision::say("nudge.repeat", said),
                _ => Decision::say("nudge", "Hello? Can you hear me?"),
            },
            _ => Decision::say("nudge", "Hello, are you there?"),
        }
    }

    /// Something was to follow and did not.
    fn waited(&mut self, context: &mut Context<'_>) -> Decision {
        if self.inbound {
            return Decision::new("wait", Vec::new());
        }
        if context.machine {
            return self.machine_is_silent(context);
        }
        if context.learnt.complete() {
            return Decision::end("done", Some("Thank you very much. Goodbye."), AgentEnd::Completed);
        }
        if !context.introduced {
            return self.open();
        }
        if context.learnt.achieved() {
            return Decision::end("done", Some("Thank you very much. Goodbye."), AgentEnd::Completed);
        }
        if !context.requested {
            return Decision::say("request", self.goal.request());
        }
        Decision::new("wait", Vec::new())
    }

    /// An inbound call: hear what they want, take a note of it, say goodbye.
    fn take_call(&mut self, context: &mut Context<'_>) -> Decision {
        let words = &context.prompt.words;
        if crate::ivr::is_farewell(words)
            || crate::text::has_any(words, &["no thank you", "no thanks", "thats all", "that is all", "nothing else"])
            || matches!(words.as_slice(), [word] if word == "no")
        {
            return Decision::end("inbound.goodbye", Some("Thank you for calling. Goodbye."), AgentEnd::Completed);
        }
        if let Some(decision) = self.about_ourselves(words) {
            return decision;
        }
        if context.prompt.kind == PromptKind::Greeting && words.len() <= 3 {
            return Decision::say("inbound.greeting", "Hello. How can I help you?");
        }
        if context.prompt.kind == PromptKind::Question {
            let asked = crate::facts::asked(words, &self.task.facts);
            let known: Vec<String> =
                asked.iter().filter_map(|asked| crate::facts::give(asked, &self.task.facts)).collect();
            if !known.is_empty() {
                return Decision::say("inbound.answer", known.join(" "));
            }
        }
        context.learnt.answers.insert("message".to_owned(), context.text.chars().take(500).collect());
        Decision::say("inbound.note", "Thank you. I have taken a note of that. Is there anything else?")
    }
}
