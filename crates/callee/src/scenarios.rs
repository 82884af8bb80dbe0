//! The scenarios that are part of the program.

/// Name, summary and text of each scenario.
pub fn embedded() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    SCENARIOS.into_iter()
}

const SCENARIOS: [(&str, &str, &str); 9] = [
    (
        "hospital",
        "a menu, then a receptionist who asks, offers times and confirms an appointment",
        include_str!("../scenarios/hospital.toml"),
    ),
    (
        "nested-menu",
        "three levels of menus with distractors, then an announcement with the answer",
        include_str!("../scenarios/nested-menu.toml"),
    ),
    (
        "enter-your-number",
        "account number and PIN by key, then a spoken balance that must come back",
        include_str!("../scenarios/enter-your-number.toml"),
    ),
    (
        "press-or-say",
        "menus that take keys or words, then an announcement with the answer",
        include_str!("../scenarios/press-or-say.toml"),
    ),
    (
        "voicemail",
        "a greeting and a beep; the message must be left after it, whole, once",
        include_str!("../scenarios/voicemail.toml"),
    ),
    (
        "hold-then-person",
        "music on hold with announcements, then a person who answers a question",
        include_str!("../scenarios/hold-then-person.toml"),
    ),
    ("busy", "486: the line is busy", include_str!("../scenarios/busy.toml")),
    ("no-answer", "it rings and nobody answers", include_str!("../scenarios/no-answer.toml")),
    (
        "lossy",
        "3 % loss, 40 ms jitter, keys in-band only: a menu, then a person",
        include_str!("../scenarios/lossy.toml"),
    ),
];
