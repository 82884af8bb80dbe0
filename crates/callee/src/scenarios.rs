//! The scenarios that are part of the program.

/// Name, summary and text of each scenario.
pub fn embedded() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    SCENARIOS.into_iter()
}

const SCENARIOS: [(&str, &str, &str); 1] = [(
    "hospital",
    "a menu, then a receptionist who asks, offers times and confirms an appointment",
    include_str!("../scenarios/hospital.toml"),
)];
