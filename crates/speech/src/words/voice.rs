//! Written text to what a voice should say and a recogniser should expect.

use super::calendar::{HalfDay, Time, date};
use super::{MONTHS, UNITS, position, say_date, say_money, say_number, say_ordinal, say_time, say_year, spell_digits};

/// Figures that are said one by one from this many on.
const MIN_SPELLED: usize = 5;

/// The text with figures, amounts, dates, times and common abbreviations written out, punctuation kept.
pub fn for_voice(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut said: Vec<String> = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        let (open, core, close) = split(words[at]);
        let previous = at.checked_sub(1).map_or("", |before| split(words[before]).1);
        let before_that = at.checked_sub(2).map_or("", |before| split(words[before]).1);
        let next = words.get(at + 1).map_or("", |next| split(next).1);
        let mut close = close;
        let core = if let Some(time) = clock(core) {
            match half_day(next) {
                Some(half) => {
                    at += 1;
                    close = split(words[at]).2.trim_start_matches('.');
                    let ends = words[at].ends_with('.') && at + 1 == words.len();
                    let hour = if half == HalfDay::Pm { time.hour % 12 + 12 } else { time.hour % 12 };
                    let full = say_time(&Time { hour, half: Some(half), ..time });
                    // "A.M." brings its own full stop.
                    if ends { full.trim_end_matches('.').to_owned() + "." } else { full }
                }
                None if time.hour > 12 => say_time(&Time { half: Some(HalfDay::Pm), ..time }),
                None => say_time(&time),
            }
        } else if is_month(previous) && (1..=31).contains(&figures(core).unwrap_or(0)) {
            say_ordinal(figures(core).unwrap_or(0))
        } else if is_month(before_that) && core.len() == 4 && figures(core).is_some() {
            figures(core).and_then(|year| u16::try_from(year).ok()).map_or_else(|| core.to_owned(), say_year)
        } else if half_day(core).is_some() && figures(previous).is_some() {
            if half_day(core) == Some(HalfDay::Am) { "A.M.".to_owned() } else { "P.M.".to_owned() }
        } else {
            written_out(core)
        };
        // The full stop of an abbreviation that was written out ends no sentence.
        let title = ["doctor", "mister", "missus", "saint"].contains(&core.as_str()) && close == ".";
        said.push(format!("{open}{core}{}", if title { "" } else { close }));
        at += 1;
    }
    said.join(" ")
}

/// Lower-case words only, as a recogniser writes them.
pub fn spoken(text: &str) -> String {
    let said = for_voice(text).to_lowercase();
    let letters: String = said.chars().map(plain).collect();
    let words = letters.split_whitespace().map(|word| word.trim_matches('\'')).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Letters without their accents; what is neither letter nor apostrophe parts words.
fn plain(c: char) -> char {
    match c {
        'a'..='z' | '\'' => c,
        '’' => '\'',
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' => 'c',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ñ' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ý' | 'ÿ' => 'y',
        _ => ' ',
    }
}

/// A word, and the punctuation around it.
fn split(word: &str) -> (&str, &str, &str) {
    let keeps = |c: char| c.is_alphanumeric() || "$#&%".contains(c);
    let Some(start) = word.find(keeps) else {
        return ("", word, "");
    };
    let end = word.rfind(keeps).map_or(word.len(), |at| at + word[at..].chars().next().map_or(1, char::len_utf8));
    (&word[..start], &word[start..end], &word[end..])
}

fn written_out(core: &str) -> String {
    match core {
        "Dr" => return "doctor".to_owned(),
        "Mr" => return "mister".to_owned(),
        "Mrs" => return "missus".to_owned(),
        "St" => return "saint".to_owned(),
        "&" => return "and".to_owned(),
        "#" => return "pound".to_owned(),
        _ => {}
    }
    if !core.contains(|c: char| c.is_ascii_digit()) {
        return core.to_owned();
    }
    if core.starts_with('$') {
        return say_money(core);
    }
    if let Some(date) = Some(core).filter(|core| core.matches(['/', '-']).count() == 2).and_then(date) {
        return say_date(&date);
    }
    if let Some(percent) = core.strip_suffix('%') {
        return format!("{} percent", written_out(percent));
    }
    if let Some(number) = core.strip_prefix('#') {
        return format!("number {}", written_out(number));
    }
    if core.chars().all(|c| c.is_ascii_digit()) {
        let spelled = core.len() >= MIN_SPELLED || (core.len() > 1 && core.starts_with('0'));
        return if spelled {
            spell_digits(core)
        } else {
            figures(core).map_or_else(|| core.to_owned(), |n| say_number(n.into()))
        };
    }
    if core.chars().all(|c| c.is_ascii_digit() || "-()+. ".contains(c)) && !decimal(core) {
        return spell_digits(core);
    }
    if core.chars().all(|c| c.is_ascii_digit() || c == ',') {
        return core.replace(',', "").parse().map_or_else(|_| core.to_owned(), say_number);
    }
    if decimal(core) {
        let (whole, part) = core.split_once('.').unwrap_or((core, ""));
        let part: Vec<&str> = part.chars().filter_map(|c| c.to_digit(10)).map(|digit| UNITS[digit as usize]).collect();
        return format!("{} point {}", written_out(whole), part.join(" "));
    }
    let ordinal = ["st", "nd", "rd", "th"].iter().find_map(|ending| figures(core.strip_suffix(ending)?));
    if let Some(ordinal) = ordinal {
        return say_ordinal(ordinal);
    }
    lettered(core)
}

/// `B12` → `B twelve`, `Q7431` → `Q seven four three one`.
fn lettered(core: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = core;
    while let Some(first) = rest.chars().next() {
        let kind = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != kind).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        parts.push(match kind {
            true if part.len() <= 2 && !part.starts_with('0') => written_out(part),
            true => spell_digits(part),
            false => part.to_owned(),
        });
        rest = after;
    }
    parts.join(" ")
}

fn decimal(core: &str) -> bool {
    core.split_once('.').is_some_and(|(whole, part)| figures(whole).is_some() && figures(part).is_some())
}

fn clock(core: &str) -> Option<Time> {
    let (hour, minute) = core.split_once(':')?;
    let (hour, minute) = (figures(hour)?, figures(minute).filter(|_| minute.len() == 2)?);
    (hour < 24 && minute < 60).then_some(Time { hour: hour as u8, minute: minute as u8, half: None })
}

fn half_day(core: &str) -> Option<HalfDay> {
    match core.to_ascii_lowercase().trim_end_matches('.') {
        "am" | "a.m" => Some(HalfDay::Am),
        "pm" | "p.m" => Some(HalfDay::Pm),
        _ => None,
    }
}

fn is_month(word: &str) -> bool {
    position(&MONTHS, word).is_some() && word.starts_with(|c: char| c.is_uppercase())
}

fn figures(word: &str) -> Option<u32> {
    (!word.is_empty() && word.len() <= 9 && word.chars().all(|c| c.is_ascii_digit()))
        .then(|| word.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_the_words_a_person_would_say() {
        let check = |text, expected: &str| assert_eq!(for_voice(text), expected);
        check("For billing, press 2.", "For billing, press two.");
        check("Tuesday, December 1 at 10:30 A.M.", "Tuesday, December first at ten thirty A.M.");
        check("At 2:15 pm, or 9:00?", "At two fifteen P.M., or nine o'clock?");
        check("It is $1284.17.", "It is one thousand two hundred eighty four dollars and seventeen cents.");
        check("I was born on March 5, 1982.", "I was born on March fifth, nineteen eighty two.");
        check("My number is 555-0142.", "My number is five five five, zero one four two.");
        check("Account 471903", "Account four seven one, nine zero three");
        check("1 2 3", "one two three");
        check("Room B12, 3rd floor, 50% off", "Room B twelve, third floor, fifty percent off");
        check("Dr. Lee & Mr. Roy", "doctor Lee and mister Roy");
        check("born 1982-03-05", "born March fifth, nineteen eighty two");
        check("3.5 hours, 1,284 times", "three point five hours, one thousand two hundred eighty four times");
        check("on the 21st at 10 am", "on the twenty first at ten A.M.");
        check("-- ... $ :", "-- ... $ :");
    }

    #[test]
    fn phrases_become_plain_words() {
        assert_eq!(spoken("Dr. Müller-Lüdenscheidt"), "doctor muller ludenscheidt");
        assert_eq!(spoken("O’Brien's Café, Suite 12"), "o'brien's cafe suite twelve");
        assert_eq!(spoken("…"), "");
    }
}
