//! [`Report`]: a line for each thing that was tried.

use serde_json::json;

use crate::commands::print;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    name: String,
    state: State,
    found: String,
    fix: Option<String>,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    /// It may do, and may not.
    Warning,
    Failed,
    Skipped,
}

impl Check {
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, found: found.into(), fix: None }
    }

    pub fn warning(name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { state: State::Warning, fix: Some(fix.into()), ..Self::ok(name, found) }
    }

    pub fn failed(name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { state: State::Failed, fix: Some(fix.into()), ..Self::ok(name, found) }
    }

    pub fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { state: State::Skipped, ..Self::ok(name, why) }
    }

    /// One line, for people or for programs.
    fn line(&self, as_json: bool) -> String {
        let Self { name, state, found, fix } = self;
        let state = match state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Failed => "failed",
            State::Skipped => "skipped",
        };
        if as_json {
            return json!({"check": name, "state": state, "found": found, "fix": fix}).to_string();
        }
        let fix = fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
        format!("{state:<8} {name:<28} {found}{fix}")
    }
}

/// Prints checks as they are made.
#[derive(Debug)]
pub struct Report {
    json: bool,
    /// What has been printed.
    pub(super) told: Vec<Check>,
}

impl Report {
    pub fn new(json: bool) -> Self {
        Self { json, told: Vec::new() }
    }

    pub fn tell(&mut self, check: Check) {
        print(&check.line(self.json));
        self.told.push(check);
    }

    /// Whether nothing failed.
    pub fn all_well(&self) -> bool {
        self.told.iter().all(|check| check.state != State::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_one_line_with_its_fix() {
        let check = Check::failed("trunk a: registration", "403 Forbidden", "check `password`");
        assert_eq!(check.line(false), "failed   trunk a: registration        403 Forbidden; check `password`");
        assert_eq!(
            check.line(true),
            r#"{"check":"trunk a: registration","fix":"check `password`","found":"403 Forbidden","state":"failed"}"#
        );
        assert_eq!(Check::ok("clock", "right").line(false), "ok       clock                        right");
    }
}
