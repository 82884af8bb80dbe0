//! The shape of the workspace as `docs/ARCHITECTURE.md` draws it, checked against what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// No source file is longer; most have 100 to 400 lines.
const LONGEST_FILE: usize = 700;

/// What a crate that is a value must never reach, at any depth.
const SHELL_CRATES: [&str; 5] = ["tokio", "mio", "socket2", "getrandom", "async-std"];

const PURE_CRATES: [&str; 2] = ["sip", "media"];

const PURE_FILE: &str = "//! Pure: no I/O, no clock.";

#[test]
fn crates_use_each_other_as_the_document_says() {
    let document = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let metadata = cargo_metadata(&["--no-deps"]);
    assert_eq!(edges_in(&metadata), edges_of_the_table(&document));
}

#[test]
fn sip_and_media_reach_no_runtime_no_socket_and_no_randomness_of_the_system() {
    let metadata = cargo_metadata(&[]);
    for name in PURE_CRATES {
        let reached = reached_from(name, &metadata);
        assert!(reached.len() > 1, "{name} resolves to something");
        let shell: Vec<_> = SHELL_CRATES.iter().filter(|banned| reached.contains(**banned)).collect();
        assert!(shell.is_empty(), "{name} reaches {shell:?}");
    }
}

#[test]
fn sip_and_media_neither_ask_the_time_nor_open_sockets() {
    let banned =
        ["Instant::now", "SystemTime", "UdpSocket", "TcpStream", "TcpListener", "std::thread", "tokio", ".await"];
    assert_none_have(&sources_of(&PURE_CRATES), &banned);
}

#[test]
fn pure_files_do_no_io_and_read_no_clock() {
    let pure: Vec<_> = sources_of(&ALL).into_iter().filter(|file| file.text.starts_with(PURE_FILE)).collect();
    for name in ["gateway", "agent", "callee", "control"] {
        let folder = Path::new("crates").join(name);
        assert!(pure.iter().any(|file| file.path.starts_with(&folder)), "{name} keeps its decisions in pure files");
    }
    assert_none_have(&pure, &[".await", "tokio", "now()"]);
}

#[test]
fn no_source_file_is_too_long_to_read() {
    let long: Vec<_> = sources_of(&ALL)
        .into_iter()
        .map(|file| (file.text.lines().count(), file.path))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .collect();
    assert!(long.is_empty(), "over {LONGEST_FILE} lines: {long:?}");
}

#[test]
fn code_neither_unwraps_nor_leaves_things_for_later() {
    let files = sources_of(&ALL);
    assert_none_have(&files, &[".unwrap()", "todo!(", "unimplemented!(", "dbg!("]);
    for file in files {
        let later = file.text.lines().find(|line| line.contains("TODO") || line.contains("FIXME"));
        assert_eq!(later, None, "{}", file.path.display());
    }
}

const ALL: [&str; 9] = ["sip", "media", "gateway", "speech", "agent", "store", "control", "callee", "server"];

type Edges = BTreeMap<String, BTreeSet<String>>;

/// Who uses whom, not counting what only tests use.
fn edges_in(metadata: &Value) -> Edges {
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<_> = packages.iter().map(|package| text(&package["name"])).collect();
    packages
        .iter()
        .map(|package| {
            let uses = package["dependencies"].as_array().unwrap().iter();
            let uses = uses.filter(|used| used["kind"].is_null()).map(|used| text(&used["name"]));
            (text(&package["name"]), uses.filter(|used| names.contains(used)).collect())
        })
        .collect()
}

/// The rows of the table whose first heading is `Crate` and which has a column `Uses`.
fn edges_of_the_table(document: &str) -> Edges {
    let mut lines = document.lines().skip_while(|line| !line.starts_with("| Crate |"));
    let heading = cells(lines.next().expect("docs/ARCHITECTURE.md has a table that begins with Crate"));
    let uses = heading.iter().position(|cell| cell == "Uses").expect("the table has a column Uses");
    lines
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .map(|row| (code_words(&row[0]).concat(), code_words(&row[uses]).into_iter().collect()))
        .collect()
}

fn cells(row: &str) -> Vec<String> {
    row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What stands between backticks.
fn code_words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Names of all packages that a crate of ours needs to run, at any depth.
fn reached_from(name: &str, metadata: &Value) -> BTreeSet<String> {
    let nodes: BTreeMap<_, _> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| (text(&node["id"]), node)).collect();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeMap<_, _> = packages.iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let mut waiting: Vec<_> = names.iter().filter(|(_, known)| *known == name).map(|(id, _)| id.clone()).collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !reached.insert(names[&id].clone()) {
            continue;
        }
        for used in nodes[&id]["deps"].as_array().unwrap() {
            let kinds = used["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                waiting.push(text(&used["pkg"]));
            }
        }
    }
    reached
}

fn text(value: &Value) -> String {
    value.as_str().expect("cargo metadata has a string here").to_owned()
}

fn cargo_metadata(flags: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform"])
        .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .args(flags)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

struct Source {
    /// From the root of the workspace.
    path: PathBuf,
    text: String,
}

/// The files under `src` of these crates, without modules that only tests use.
fn sources_of(crates: &[&str]) -> Vec<Source> {
    let root = root();
    let mut waiting: Vec<_> = crates.iter().map(|name| root.join("crates").join(name).join("src")).collect();
    let mut found = Vec::new();
    while let Some(path) = waiting.pop() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "tests" {
            continue;
        }
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if name.ends_with(".rs") && !matches!(name.as_str(), "tests.rs" | "testing.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(Source { path: path.strip_prefix(&root).unwrap().to_owned(), text });
        }
    }
    found
}

/// Where code (not comments, not the tests at the end of the file) has one of these words.
fn offences(file: &Source, banned: &[&str]) -> Vec<String> {
    let code = before_the_tests(&file.text);
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .filter(|(_, line)| banned.iter().any(|word| has_word(line, word)))
        .map(|(index, line)| format!("{}:{}: {}", file.path.display(), index + 1, line.trim()))
        .collect()
}

/// Tests stand at the end of a file, in the first module that only they use.
fn before_the_tests(text: &str) -> &str {
    let mut starts = text.match_indices("#[cfg(test)]\n").map(|(start, _)| start);
    let is_module = |start: &usize| {
        let next = text[*start..].lines().nth(1).unwrap_or_default();
        next.contains("mod ") && next.ends_with('{')
    };
    &text[..starts.find(is_module).unwrap_or(text.len())]
}

/// `.await` is in `a.await?` but not in `a.awaits()`.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(start, _)| {
        let next = line[start + word.len()..].chars().next();
        !(word.ends_with(is_name) && next.is_some_and(is_name))
    })
}

fn assert_none_have(files: &[Source], banned: &[&str]) {
    let found: Vec<_> = files.iter().flat_map(|file| offences(file, banned)).collect();
    assert!(found.is_empty(), "{banned:?} in\n{}", found.join("\n"));
}
