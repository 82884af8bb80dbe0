//! Pure: no I/O, no clock.
//!
//! What a model is told: the task, the facts and nothing else to say, the talk as it was really heard.
//!
//! What a model replies is not checked against the facts word by word; it is told to use no others.

use speech::chat::Message;

use crate::conversation::{DialogueLine, View};
use crate::event::Speaker;
use crate::rules::Cause;

/// The messages of one request.
pub(crate) fn messages(view: &View) -> Vec<Message> {
    let mut messages = vec![Message::System(system(view))];
    for line in &view.dialogue {
        match line {
            DialogueLine::Said { speaker: Speaker::Callee, text, .. } => push_user(&mut messages, text),
            DialogueLine::Said { speaker: Speaker::Operator, text, .. } => {
                push_user(&mut messages, &format!("[an operator said: {text}]"))
            }
            DialogueLine::Said { speaker: Speaker::Agent, text, finished } => {
                let text = if *finished { text.clone() } else { format!("{text} … [interrupted here]") };
                match messages.last_mut() {
                    Some(Message::Assistant { text: known, .. }) => {
                        known.push(' ');
                        known.push_str(&text);
                    }
                    _ => messages.push(Message::Assistant { text, tool_calls: Vec::new() }),
                }
            }
            DialogueLine::Happened(what) => push_user(&mut messages, &format!("[{what}]")),
        }
    }
    if !view.menu.is_empty() && view.prompt == "menu" {
        let options: Vec<String> = view.menu.iter().map(|(key, label)| format!("{key} = {label}")).collect();
        push_user(&mut messages, &format!("[menu as understood: {}]", options.join("; ")));
    }
    match view.cause {
        Cause::Opening => push_user(&mut messages, "[the call was answered; you speak first]"),
        Cause::Waited | Cause::Nudge(_) => push_user(&mut messages, "[nothing more was said]"),
        Cause::Turn => {}
    }
    if messages.len() == 1 {
        push_user(&mut messages, "[the call was answered]");
    }
    messages
}

fn push_user(messages: &mut Vec<Message>, text: &str) {
    match messages.last_mut() {
        Some(Message::User(known)) => {
            known.push('\n');
            known.push_str(text);
        }
        _ => messages.push(Message::User(text.to_owned())),
    }
}

fn system(view: &View) -> String {
    let mut lines = vec![
        "You are an AI assistant on a telephone call. What you write is spoken aloud: short plain sentences, no markup, no lists.".to_owned(),
        "What the other side says reaches you through speech recognition, in lower case and with mistakes. Lines in [brackets] are events of the line.".to_owned(),
        "In menus use press; when a machine asks for a number to be entered, press its digits as it asks. When told to hold or when a menu may go on, use wait.".to_owned(),
        "Give only the facts below, and only when asked or needed. If you are asked for anything else, say that you don't have it. Never invent a name, number, date or preference.".to_owned(),
        "Say that you are an AI assistant and for whom you call, at the start with a person and whenever asked.".to_owned(),
        "When the goal is reached or cannot be, call report with what was really heard, say goodbye to a person, and call end.".to_owned(),
        format!("Today is {}.", view.today),
    ];
    match &view.goal {
        Some(goal) => lines.push(format!("Goal of this call: {goal}")),
        None => {
            lines.push("This is an inbound call: find out what the caller wants and help as far as you can.".to_owned())
        }
    }
    if let Some(name) = &view.on_behalf_of {
        lines.push(format!("You call on behalf of {name}."));
    }
    if view.facts.is_empty() {
        lines.push("Facts: none.".to_owned());
    } else {
        lines.push("Facts:".to_owned());
        lines.extend(view.facts.iter().map(|(key, value)| format!("- {key}: {value}")));
    }
    if let Some(greeting) = &view.greeting {
        lines.push(format!("Begin with: {greeting}"));
    }
    if let Some(instructions) = &view.system_prompt {
        lines.push(instructions.clone());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_told_what_was_heard_of_it() {
        let said = |speaker, text: &str, finished| DialogueLine::Said { speaker, text: text.to_owned(), finished };
        let view = View {
            goal: Some("Book an appointment".to_owned()),
            facts: [("name".to_owned(), "Martin Keller".to_owned())].into(),
            on_behalf_of: None,
            greeting: None,
            system_prompt: None,
            today: jiff::civil::Date::constant(2026, 11, 21),
            dialogue: vec![
                said(Speaker::Callee, "hello", true),
                said(Speaker::Agent, "Hello, this is", false),
                said(Speaker::Callee, "stop", true),
                DialogueLine::Happened("you pressed 2".to_owned()),
            ],
            cause: Cause::Turn,
            prompt: "statement".to_owned(),
            menu: Vec::new(),
        };
        let messages = messages(&view);
        assert!(
            matches!(&messages[0], Message::System(text) if text.contains("- name: Martin Keller") && text.contains("Book an appointment"))
        );
        assert_eq!(
            messages[1..],
            [
                Message::User("hello".to_owned()),
                Message::Assistant { text: "Hello, this is … [interrupted here]".to_owned(), tool_calls: Vec::new() },
                Message::User("stop\n[you pressed 2]".to_owned()),
            ]
        );
    }
}
