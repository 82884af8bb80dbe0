//! Pure: no I/O, no clock.
//!
//! The task's own words for the recogniser; those of telephone talk in general come with it.

use speech::Vocabulary;

use crate::Task;
use crate::spoken::{parse_written_date, say_date};
use crate::text::words;

/// Phrases given to a recogniser.
const MAX_PHRASES: usize = 200;

/// What may be heard because of this task: its names, its subject, its dates.
pub(crate) fn vocabulary(task: Option<&Task>, on_behalf_of: Option<&str>) -> Vocabulary {
    let mut phrases: Vec<String> = Vec::new();
    let mut add = |text: &str| {
        let phrase =
            words(text).into_iter().filter(|word| word.chars().all(char::is_alphabetic)).collect::<Vec<_>>().join(" ");
        if !phrase.is_empty() && !phrases.contains(&phrase) && phrases.len() < MAX_PHRASES {
            phrases.push(phrase);
        }
    };
    if let Some(name) = on_behalf_of {
        add(name);
    }
    if let Some(task) = task {
        for (key, value) in &task.facts {
            if key == "message" {
                continue;
            }
            match parse_written_date(value) {
                Some(date) => add(&say_date(date)),
                None => value.split(',').for_each(&mut add),
            }
        }
        // A goal's words, one by one: its sentence is ours, not theirs.
        for word in words(&task.goal) {
            add(&word);
        }
    }
    Vocabulary { phrases, closed: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_the_goals_words_are_expected() {
        let facts =
            [("name", "Martin Keller"), ("doctor", "Doctor Alvarez"), ("date_of_birth", "1982-03-05"), ("pin", "4821")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into();
        let task = Task { goal: "Book dermatology".to_owned(), facts };
        assert_eq!(
            vocabulary(Some(&task), None).phrases,
            ["march fifth nineteen eighty two", "doctor alvarez", "martin keller", "book", "dermatology"]
        );
    }
}
