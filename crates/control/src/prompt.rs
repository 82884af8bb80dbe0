//! [`Prompt`]: what to say and do in calls, kept to be used again.

mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::PromptRow;
use utoipa::ToSchema;

use crate::calls::Calls;
use crate::idempotency::Pending;
use crate::request::{MAX_FACT, MAX_GOAL, NewTask, given};
use crate::{Error, clock};

/// Prefix of the ids of prompts.
pub(crate) const PROMPT_PREFIX: &str = "prompt_";
/// Longest introduction, in bytes: a minute of speech.
const MAX_INTRODUCTION: usize = 1000;
/// Most variables of one prompt.
const MAX_VARIABLES: usize = 32;

/// A prompt. All fields are always present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Prompt {
    /// `prompt_…`; sorts by time.
    pub(crate) id: String,
    /// What to do, in plain words; `{{name}}` stands for a variable.
    pub(crate) content: String,
    /// First words to a person; variables may stand in it too.
    pub(crate) introduction: Option<String>,
    /// The variables of both, with what they stand for where nothing else is said; `null`: something must be.
    pub(crate) variables: BTreeMap<String, Option<String>>,
    /// RFC 3339.
    pub(crate) created_at: String,
    /// RFC 3339.
    pub(crate) updated_at: String,
}

/// A prompt to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPrompt {
    /// What to do, in plain words; `{{name}}` stands for a variable.
    #[schema(example = "Remind {{name}} of the appointment on {{day}} and ask whether it suits.")]
    content: String,
    /// First words to a person.
    #[serde(default)]
    #[schema(example = "Hello, this is the automated assistant of Doctor Alvarez.")]
    introduction: Option<String>,
    /// What variables stand for where nothing else is said.
    #[serde(default)]
    variables: BTreeMap<String, Option<String>>,
}

/// Changes to a prompt; what is left out stays as it is, and `null` takes it away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromptChange {
    /// What to do.
    #[serde(default)]
    content: Option<String>,
    /// First words to a person.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    introduction: Option<Option<String>>,
    /// What variables stand for where nothing else is said; all of them.
    #[serde(default)]
    variables: Option<BTreeMap<String, Option<String>>>,
}

/// A prompt for one call, its variables filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filled {
    pub(crate) task: NewTask,
    pub(crate) introduction: Option<String>,
}

impl Prompt {
    fn new(id: String, request: NewPrompt, now: &str) -> Result<Self, Error> {
        let NewPrompt { content, introduction, variables } = request;
        let mut prompt =
            Self { id, content, introduction, variables, created_at: now.to_owned(), updated_at: now.to_owned() };
        prompt.check()?;
        Ok(prompt)
    }

    fn change(&mut self, change: PromptChange, now: &str) -> Result<(), Error> {
        let PromptChange { content, introduction, variables } = change;
        self.introduction = introduction.unwrap_or(self.introduction.take());
        self.content = content.unwrap_or_else(|| std::mem::take(&mut self.content));
        let kept = std::mem::take(&mut self.variables);
        self.variables = variables.unwrap_or_else(|| kept.into_iter().filter(|(name, _)| self.uses(name)).collect());
        now.clone_into(&mut self.updated_at);
        self.check()
    }

    fn uses(&self, variable: &str) -> bool {
        let texts = [Some(&self.content), self.introduction.as_ref()];
        texts.into_iter().flatten().any(|text| text::names(text).is_ok_and(|names| names.contains(variable)))
    }

    /// Checks the texts, and names all their variables.
    fn check(&mut self) -> Result<(), Error> {
        if self.content.trim().is_empty() || self.content.len() > MAX_GOAL {
            return Err(Error::invalid("content", format!("say in 1 to {MAX_GOAL} bytes what calls are for")));
        }
        if self.introduction.as_ref().is_some_and(|text| text.trim().is_empty() || text.len() > MAX_INTRODUCTION) {
            return Err(Error::invalid("introduction", format!("send 1 to {MAX_INTRODUCTION} bytes, or leave it out")));
        }
        let mut used = names("content", &self.content)?;
        used.extend(names("introduction", self.introduction.as_deref().unwrap_or_default())?);
        for (name, default) in &self.variables {
            let field = format!("variables.{}", name.chars().take(40).collect::<String>());
            if !used.contains(name) {
                let message = format!("neither content nor introduction has {{{{{name}}}}}");
                return Err(Error::invalid(field, message));
            }
            if default.as_ref().is_some_and(|default| default.len() > MAX_FACT) {
                return Err(Error::invalid(field, format!("send at most {MAX_FACT} bytes")));
            }
        }
        for name in used {
            self.variables.entry(name).or_default();
        }
        if self.variables.len() > MAX_VARIABLES {
            return Err(Error::invalid("variables", format!("use at most {MAX_VARIABLES} variables")));
        }
        Ok(())
    }

    /// Puts in for each variable what the context says, else what the prompt does. The agent may say these: they are
    /// facts.
    pub(crate) fn fill(&self, context: Option<&Map<String, Value>>) -> Result<Filled, Error> {
        let mut facts = BTreeMap::new();
        for (name, default) in &self.variables {
            let field = || format!("context.{name}");
            let value = match context.and_then(|context| context.get(name)) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::Bool(flag)) => flag.to_string(),
                Some(Value::Null) | None => match default {
                    Some(default) => default.clone(),
                    None => return Err(Error::invalid(field(), "send what the prompt has this variable for")),
                },
                Some(_) => return Err(Error::invalid(field(), "send a text or a number")),
            };
            facts.insert(name.clone(), value);
        }
        let fill = |text: &str| text::fill(text, |name| facts.get(name).map(String::as_str));
        let introduction = self.introduction.as_deref().map(fill);
        Ok(Filled { task: NewTask { goal: fill(&self.content), facts: facts.clone() }, introduction })
    }

    fn from_row(row: PromptRow) -> Result<Self, Error> {
        Ok(Self {
            variables: serde_json::from_str(&row.variables_json)?,
            id: row.id,
            content: row.content,
            introduction: row.introduction,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }

    fn row(&self) -> Result<PromptRow, Error> {
        Ok(PromptRow {
            id: self.id.clone(),
            content: self.content.clone(),
            introduction: self.introduction.clone(),
            variables_json: serde_json::to_string(&self.variables)?,
            created_at: self.created_at.clone(),
            updated_at: self.updated_at.clone(),
        })
    }
}

impl Calls {
    /// Keeps a prompt.
    pub(crate) async fn keep_prompt(&self, request: NewPrompt, pending: Option<&Pending>) -> Result<Prompt, Error> {
        let prompt = Prompt::new(self.new_id(PROMPT_PREFIX), request, &clock::rfc3339(self.time()))?;
        let answer = pending.map(|pending| pending.created(&location(&prompt.id), &prompt)).transpose()?;
        self.config().store.insert_prompt(&prompt.row()?, answer.as_ref()).await?;
        Ok(prompt)
    }

    /// One prompt.
    pub(crate) async fn prompt(&self, id: &str) -> Result<Prompt, Error> {
        Prompt::from_row(self.config().store.prompt(id).await?.ok_or(Error::NotFound("prompt"))?)
    }

    /// Prompts older than an id, newest first.
    pub(crate) async fn prompts(&self, before: Option<&str>, limit: u32) -> Result<Vec<Prompt>, Error> {
        let rows = self.config().store.prompts(before, limit).await?;
        rows.into_iter().map(Prompt::from_row).collect()
    }

    /// Changes a prompt. Scheduled calls have their copies.
    pub(crate) async fn change_prompt(&self, id: &str, change: PromptChange) -> Result<Prompt, Error> {
        let mut prompt = self.prompt(id).await?;
        prompt.change(change, &clock::rfc3339(self.time()))?;
        match self.config().store.update_prompt(&prompt.row()?).await? {
            true => Ok(prompt),
            false => Err(Error::NotFound("prompt")),
        }
    }

    /// Forgets a prompt. Scheduled calls have their copies.
    pub(crate) async fn delete_prompt(&self, id: &str) -> Result<(), Error> {
        match self.config().store.delete_prompt(id).await? {
            true => Ok(()),
            false => Err(Error::NotFound("prompt")),
        }
    }
}

/// Where a prompt is found.
pub(crate) fn location(id: &str) -> String {
    format!("/v1/prompts/{id}")
}

fn names(field: &str, text: &str) -> Result<BTreeSet<String>, Error> {
    text::names(text).map_err(|message| Error::invalid(field, message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_filled_from_the_context_and_become_facts() {
        let prompt = prompt(json!({
            "content": "Remind {{name}} of {{day}}.", "introduction": "Hello {{ name }}.", "variables": {"day": "Monday"},
        }));
        assert_eq!(prompt.variables, BTreeMap::from([("day".into(), Some("Monday".into())), ("name".into(), None)]));
        let fill = |context: Value| prompt.fill(context.as_object());
        let filled = fill(json!({"name": "Ada {{day}}"})).unwrap();
        // What is put in is not read again.
        assert_eq!(filled.task.goal, "Remind Ada {{day}} of Monday.");
        assert_eq!(filled.introduction.as_deref(), Some("Hello Ada {{day}}."));
        assert_eq!(filled.task.facts["day"], "Monday");
        assert_eq!(fill(json!({"name": 7, "day": true})).unwrap().task.goal, "Remind 7 of true.");
        for context in [json!({}), json!({"name": null}), json!({"name": []})] {
            assert_eq!(named(fill(context).unwrap_err()), "context.name");
        }
    }

    #[test]
    fn each_bad_field_is_named() {
        for (request, field) in [
            (json!({"content": " "}), "content"),
            (json!({"content": "x".repeat(4001)}), "content"),
            (json!({"content": "call {{name"}), "content"),
            (json!({"content": "a", "introduction": ""}), "introduction"),
            (json!({"content": "a", "introduction": "{{}}"}), "introduction"),
            (json!({"content": "a", "variables": {"b": null}}), "variables.b"),
            (json!({"content": "{{a}}", "variables": {"a": "x".repeat(1001)}}), "variables.a"),
        ] {
            let request: NewPrompt = serde_json::from_value(request).unwrap();
            assert_eq!(named(Prompt::new("prompt_1".into(), request, "").unwrap_err()), field);
        }
    }

    #[test]
    fn a_change_keeps_what_it_leaves_out_and_null_takes_away() {
        let mut prompt = prompt(json!({
            "content": "call {{name}}", "introduction": "Hi {{day}}", "variables": {"name": "Ada"},
        }));
        let mut change = |change: Value| {
            let change = serde_json::from_value(change).unwrap();
            prompt.change(change, "later").map(|()| prompt.clone())
        };
        let changed = change(json!({"introduction": null})).unwrap();
        assert_eq!((changed.introduction, changed.content.as_str()), (None, "call {{name}}"));
        assert_eq!(changed.variables, BTreeMap::from([("name".into(), Some("Ada".into()))]));
        let changed = change(json!({"content": "call {{whom}}", "variables": {}})).unwrap();
        assert_eq!((changed.variables, changed.updated_at), (BTreeMap::from([("whom".into(), None)]), "later".into()));
        assert_eq!(named(change(json!({"content": ""})).unwrap_err()), "content");
    }

    fn prompt(request: Value) -> Prompt {
        Prompt::new("prompt_1".into(), serde_json::from_value(request).unwrap(), "now").unwrap()
    }

    fn named(error: Error) -> String {
        match error {
            Error::Invalid { field, .. } => field,
            other => panic!("{other}"),
        }
    }
}
