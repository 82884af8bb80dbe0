//! Pure: no I/O, no clock.
//!
//! How well a menu's option fits the goal.

use std::collections::BTreeMap;

use super::menu::{MenuOption, content_words};
use crate::text::{distance, has_any, is_filler, similar, stem, words};

/// Subjects that menus name in different words, and how much naming the same one counts. Places
/// count more than deeds: the pharmacy's hours are behind "pharmacy", not behind "hours".
const SUBJECTS: &[(&str, u32, &[&str])] = &[
    (
        "appointments",
        30,
        &[
            "appointment",
            "appointments",
            "schedule",
            "scheduling",
            "book",
            "booking",
            "reservation",
            "reservations",
            "visit",
            "visits",
            "reserve",
        ],
    ),
    ("cancel", 28, &["cancel", "canceling", "reschedule", "change", "cancellation"]),
    (
        "billing",
        34,
        &[
            "billing",
            "bill",
            "bills",
            "payment",
            "payments",
            "pay",
            "invoice",
            "invoices",
            "charge",
            "charges",
            "finance",
            "financial",
            "accounting",
            "accounts",
            "receivable",
        ],
    ),
    ("balance", 34, &["balance", "balances", "account", "statement"]),
    ("pharmacy", 34, &["pharmacy", "prescription", "prescriptions", "refill", "refills", "medication", "medications"]),
    ("hours", 30, &["hours", "opening", "open", "location", "locations", "directions", "address", "times", "closing"]),
    ("nurse", 26, &["nurse", "nurses", "advice", "medical"]),
    ("orders", 34, &["order", "orders", "shipping", "shipment", "delivery", "track", "tracking", "package", "parcel"]),
    ("returns", 32, &["return", "returns", "refund", "refunds", "exchange"]),
    ("sales", 30, &["sales", "buy", "purchase", "quote", "quotes"]),
    ("support", 30, &["support", "technical", "service", "repair", "repairs", "problem", "trouble", "outage"]),
    ("claims", 32, &["claim", "claims"]),
    ("records", 32, &["records", "record", "results", "lab", "laboratory", "test", "tests"]),
    ("insurance", 30, &["insurance", "coverage", "benefits", "policy"]),
    ("cards", 30, &["card", "cards", "debit", "credit"]),
    ("loans", 30, &["loan", "loans", "mortgage", "mortgages"]),
    ("jobs", 28, &["job", "jobs", "careers", "employment", "hr"]),
    ("specialties", 20, &["specialty", "specialties", "specialist", "specialists", "clinic", "clinics", "outpatient"]),
];

/// Subjects that often share a department.
const RELATED: &[(&str, &str)] = &[
    ("billing", "balance"),
    ("orders", "returns"),
    ("orders", "support"),
    ("appointments", "cancel"),
    ("specialties", "appointments"),
    ("cards", "balance"),
];

/// Medical specialties that sit behind a general word.
const SPECIALTIES: &[&str] = &[
    "dermatology",
    "cardiology",
    "radiology",
    "pediatrics",
    "orthopedics",
    "neurology",
    "oncology",
    "gynecology",
    "urology",
    "dentistry",
];

/// A label must reach this to be chosen without doubt.
pub(crate) const CLEAR: u32 = 18;

/// What a goal and its facts are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// Word → weight in tenths.
    words: BTreeMap<String, u32>,
    subjects: BTreeMap<&'static str, u32>,
}

impl Subject {
    pub(crate) fn new(goal: &str, facts: &BTreeMap<String, String>) -> Self {
        let mut subject = Self::default();
        subject.add(goal, 20);
        for (key, weight) in [("department", 34), ("reason", 12)] {
            if let Some(value) = facts.get(key) {
                subject.add(value, weight);
            }
        }
        // Names of people lead nowhere.
        for key in ["name", "doctor", "day", "time_of_day"] {
            for word in facts.get(key).map(|value| words(value)).unwrap_or_default() {
                subject.words.remove(&word);
            }
        }
        subject
    }

    fn add(&mut self, text: &str, weight: u32) {
        for word in words(text) {
            for (name, _, synonyms) in SUBJECTS {
                if synonyms.contains(&word.as_str()) {
                    let entry = self.subjects.entry(name).or_default();
                    *entry = (*entry).max(weight);
                }
            }
            if SPECIALTIES.contains(&word.as_str()) {
                self.subjects.entry("specialties").or_insert(weight);
            }
            if !is_filler(&word) && !word.bytes().all(|b| b.is_ascii_digit()) {
                let entry = self.words.entry(word).or_default();
                *entry = (*entry).max(weight);
            }
        }
    }

    /// The firm named itself: its name in a label tells nothing about what is behind it.
    pub(crate) fn firm_is_called(&mut self, name: &[String]) {
        for word in name {
            if !SUBJECTS.iter().any(|(.., synonyms)| synonyms.contains(&word.as_str())) {
                self.words.remove(word);
            }
        }
    }

    /// How well an option fits by the best of its hearings, in tenths; 0 is not at all.
    pub(crate) fn score(&self, option: &MenuOption) -> u32 {
        option.labels().map(|label| self.score_label(label)).max().unwrap_or_default()
    }

    fn score_label(&self, label: &str) -> u32 {
        let label_words = words(label);
        if has_any(&label_words, &["emergency", "life threatening", "nine one one"]) {
            return 0;
        }
        let mut score = 0;
        let mut named: Vec<&'static str> = Vec::new();
        for word in content_words(label) {
            if let Some(weight) =
                self.words.iter().filter(|(wanted, _)| same(&word, wanted)).map(|(_, weight)| *weight).max()
            {
                score += weight / 2 + 8;
            }
            for (name, _, synonyms) in SUBJECTS {
                if !named.contains(name) && synonyms.iter().any(|synonym| same(&word, synonym)) {
                    named.push(name);
                }
            }
        }
        for name in &named {
            if self.subjects.contains_key(name) {
                score += SUBJECTS.iter().find(|(subject, ..)| subject == name).map_or(0, |(_, worth, _)| *worth);
            } else if RELATED.iter().any(|(a, b)| {
                (a == name && self.subjects.contains_key(b)) || (b == name && self.subjects.contains_key(a))
            }) {
                score += 14;
            } else {
                // "Billing for appointments": what else it names makes it less likely.
                score = score.saturating_sub(4);
            }
        }
        score
    }
}

/// Is it a way to a person, whatever the subject?
pub(crate) fn is_operator(label: &str) -> bool {
    has_any(
        &words(label),
        &[
            "operator",
            "representative",
            "receptionist",
            "agent",
            "associate",
            "assistance",
            "someone",
            "person",
            "attendant",
            "front desk",
            "all other",
            "anything else",
            "other inquiries",
            "other questions",
            "general",
            "customer service",
            "help",
        ],
    )
}

/// Is it the way back?
pub(crate) fn is_way_back(label: &str) -> bool {
    has_any(&words(label), &["main menu", "previous menu", "go back", "return to", "start over"])
}

/// Does it only say the menu again?
pub(crate) fn is_repeat(label: &str) -> bool {
    has_any(&words(label), &["repeat", "hear these", "hear this", "options again", "menu again", "listen again"])
}

/// Is it our language?
pub(crate) fn is_english(label: &str) -> bool {
    has_any(&words(label), &["english"])
}

fn same(heard: &str, wanted: &str) -> bool {
    similar(heard, wanted)
        || stem(heard) == stem(wanted)
        || (heard.len() >= 6 && wanted.len() >= 6 && distance(heard, wanted) <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ivr::Menu;

    fn check(goal: &str, facts: &[(&str, &str)], menu: &str, expected: &str) {
        let facts = facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let subject = Subject::new(goal, &facts);
        let menu = Menu::parse(menu);
        let best = menu.options.iter().max_by_key(|option| subject.score(option)).expect("an option");
        assert!(subject.score(best) >= CLEAR, "{goal}: {best:?} {}", subject.score(best));
        assert_eq!(best.key.map(String::from).unwrap_or_default(), expected, "{goal}");
    }

    #[test]
    fn the_option_that_fits_the_goal_scores_best() {
        let hospital = "for billing press one for appointments press two for the pharmacy press three for hours and location press four if this is an emergency press nine";
        check("Book an appointment with Doctor Alvarez in dermatology on Tuesday", &[], hospital, "2");
        check("Ask for the opening hours of the pharmacy", &[], hospital, "3");
        check("Ask for the opening hours", &[], hospital, "4");
        check("Reach the billing department and ask about invoice 4471", &[], hospital, "1");
        check(
            "Find out the balance of the account",
            &[],
            "for account balance press one to pay a bill press two for a lost card press three",
            "1",
        );
        check(
            "Find out the balance of the account",
            &[],
            "for sales press one for accounts and billing press two for repairs press three",
            "2",
        );
        check(
            "Ask when the package arrives",
            &[],
            "for new orders press one to track a shipment press two for returns press three",
            "2",
        );
        check(
            "Speak with someone",
            &[("department", "radiology")],
            "for cardiology press one for radiology press two",
            "2",
        );
        check(
            "Book an appointment in dermatology",
            &[],
            "for cardiology press one for dermatology press two for general medicine press three",
            "2",
        );
        check("Refill a prescription", &[], "for building press one for the farmacy refills press two", "2");
    }
}
