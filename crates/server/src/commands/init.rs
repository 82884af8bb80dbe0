//! `offhook init`: a small working configuration for one trunk, with its secrets in files beside it.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::{Exit, WrongUse, print};
use crate::config::{self, presets};
use crate::wiring;

/// What a configuration begins and ends with.
const TEMPLATE: &str = include_str!("init/template.toml");
/// Files of secrets, as the sections name them.
const PASSWORD_FILE: &str = "trunk-password";
const KEY_FILE: &str = "api-key";

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Kind of the trunk: registrar, address, twilio-elastic or telnyx.
    #[arg(long, default_value = "registrar")]
    preset: String,
    /// The trunk: a host, or a sip: URI.
    #[arg(long)]
    uri: Option<String>,
    /// User at the trunk. Its password is asked for, or taken from TRUNK_PASSWORD.
    #[arg(long)]
    username: Option<String>,
    /// Our number: who calls, and what is answered.
    #[arg(long)]
    number: Option<String>,
    /// A prefix of numbers that may be dialed; may be repeated. Without any, none is.
    #[arg(long, value_name = "PREFIX")]
    allow: Vec<String>,
    /// The file to write; nothing that is there is overwritten.
    #[arg(long, value_name = "FILE", default_value = "offhook.toml")]
    out: PathBuf,
}

pub fn run(arguments: Arguments, json: bool) -> anyhow::Result<Exit> {
    let section = section(&arguments.preset)?;
    let uri = with_scheme(&answer(arguments.uri, "Host of the trunk", "--uri")?);
    let number = answer(arguments.number, "Our number, with its +", "--number")?;
    let (username, password) = if section.contains(PASSWORD_FILE) {
        let username = answer(arguments.username, "User at the trunk", "--username")?;
        let password = std::env::var("TRUNK_PASSWORD").ok();
        (username, Some(answer(password, "Password (seen as you type)", "TRUNK_PASSWORD")?))
    } else {
        (String::new(), None)
    };
    let text = render(section, &Answers { uri, username, number, allow: arguments.allow });
    check(&text)?;

    let beside = |name: &str| arguments.out.with_file_name(name);
    let mut files = vec![(arguments.out.clone(), text), (beside(KEY_FILE), wiring::random_key()? + "\n")];
    files.extend(password.map(|password| (beside(PASSWORD_FILE), password + "\n")));
    write_new(&files)?;
    for (path, _) in &files {
        let path = path.display();
        print(&if json { json!({"written": path.to_string()}).to_string() } else { format!("wrote {path}") });
    }
    if !json {
        print(&format!("next: offhook doctor --config {}", arguments.out.display()));
    }
    Ok(Exit::Success)
}

fn section(preset: &str) -> Result<&'static str, WrongUse> {
    presets::section(preset).ok_or_else(|| WrongUse(format!("no preset {preset:?}; there are {}", presets::names())))
}

/// What was given, or what a person says.
fn answer(given: Option<String>, question: &str, flag: &str) -> anyhow::Result<String> {
    if let Some(given) = given {
        return Ok(given);
    }
    if !std::io::stdin().is_terminal() {
        return Err(WrongUse(format!("{flag} is missing")).into());
    }
    let mut out = std::io::stderr().lock();
    write!(out, "{question}: ").and_then(|()| out.flush()).context("nobody can be asked")?;
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("no answer")?;
    Ok(line.trim().to_owned())
}

fn with_scheme(uri: &str) -> String {
    if uri.starts_with("sip:") || uri.starts_with("sips:") { uri.to_owned() } else { format!("sip:{uri}") }
}

#[derive(Debug, Default)]
struct Answers {
    uri: String,
    username: String,
    number: String,
    allow: Vec<String>,
}

/// The configuration, each answer as a string of TOML.
fn render(section: &str, answers: &Answers) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let allow: Vec<String> = answers.allow.iter().map(|prefix| quoted(prefix)).collect();
    TEMPLATE
        .replace("@trunk@\n", &format!("{section}\n"))
        .replace("\"@uri@\"", &quoted(&answers.uri))
        .replace("\"@username@\"", &quoted(&answers.username))
        .replace("\"@number@\"", &quoted(&answers.number))
        .replace("\"@allow@\"", &allow.join(", "))
}

/// What was answered may be wrong, and is told before anything is written.
fn check(text: &str) -> Result<(), WrongUse> {
    let parsed = config::parse(&secrets_named(text), Path::new("."), &|_| None);
    let told = |problems: Vec<config::Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    parsed.map(drop).map_err(|problems| WrongUse(format!("that makes no configuration: {}", told(problems))))
}

/// The secrets' files are not there yet.
fn secrets_named(text: &str) -> String {
    [PASSWORD_FILE, KEY_FILE]
        .iter()
        .fold(text.to_owned(), |text, name| text.replace(&format!("${{file:{name}}}"), "a-secret-to-come"))
}

/// Writes all files or none, for their owner alone.
fn write_new(files: &[(PathBuf, String)]) -> anyhow::Result<()> {
    if let Some((there, _)) = files.iter().find(|(path, _)| path.exists()) {
        let message = format!("{} is there already; move it away, or write elsewhere with --out", there.display());
        return Err(WrongUse(message).into());
    }
    for (path, content) in files {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        made.and_then(|mut file| file.write_all(content.as_bytes()))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_preset_makes_a_configuration_without_mistakes() {
        for (name, section) in presets::PRESETS {
            let text = render(section, &answers());
            assert!(!text.contains('@'), "{name}: {text}");
            let config = config::parse(&secrets_named(&text), Path::new("."), &|_| None)
                .unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            let trunk = &config.trunks[0];
            assert_eq!(
                (trunk.gateway.domain.as_str(), trunk.gateway.caller_id.as_str()),
                ("sip.example.com", "+15550100"),
                "{name}"
            );
            assert_eq!(trunk.gateway.credentials.is_some(), section.contains(PASSWORD_FILE), "{name}");
            assert_eq!(
                (config.routes[0].to.as_str(), config.dial_allow.as_slice()),
                ("+15550100", &["+1".into(), "+44".into()][..])
            );
            assert!(config.warnings.is_empty(), "{name}: {:?}", config.warnings);
        }
    }

    #[test]
    fn an_answer_stays_one_string_whatever_is_in_it() {
        let mean = Answers { username: "a\"\nregister = false # ${HOME}".to_owned(), ..answers() };
        let section = section("registrar").expect("a preset");
        let wrong = check(&render(section, &mean)).expect_err("no such variable");
        assert!(wrong.0.contains("HOME is not set"), "{wrong}");
        let mean = Answers { username: "a\"\nregister = false #".to_owned(), ..answers() };
        let config = config::parse(&secrets_named(&render(section, &mean)), Path::new("."), &|_| None).expect("it is");
        assert!(config.trunks[0].gateway.register);
    }

    #[test]
    fn an_answer_that_cannot_be_is_told_before_anything_is_written() {
        let answers = Answers { uri: "sip:not a host".to_owned(), ..answers() };
        let wrong = check(&render(section("address").expect("a preset"), &answers)).expect_err("no host");
        assert!(wrong.0.contains("trunk[0].uri"), "{wrong}");
        assert_eq!(
            section("skype").expect_err("unknown").0,
            "no preset \"skype\"; there are registrar, address, twilio-elastic, telnyx"
        );
    }

    #[test]
    fn nothing_that_is_there_is_overwritten_and_secrets_are_their_owners() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::TempDir::new().expect("a folder");
        let path = |name: &str| directory.path().join(name);
        write_new(&[(path("a"), "1".to_owned())]).expect("it is new");
        let mode = std::fs::metadata(path("a")).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = write_new(&[(path("b"), "2".to_owned()), (path("a"), "2".to_owned())]).expect_err("a is there");
        assert!(error.is::<WrongUse>(), "{error}");
        assert!(!path("b").exists());
        assert_eq!(std::fs::read_to_string(path("a")).expect("it is there"), "1");
    }

    fn answers() -> Answers {
        Answers {
            uri: with_scheme("sip.example.com"),
            username: "gateway".to_owned(),
            number: "+15550100".to_owned(),
            allow: vec!["+1".to_owned(), "+44".to_owned()],
        }
    }
}
