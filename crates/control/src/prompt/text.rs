//! Pure: no I/O, no clock.
//! Variables in a text: `{{name}}`.

use std::collections::BTreeSet;

/// Longest name of a variable.
const MAX_NAME: usize = 40;

/// The names of all variables of a text, or what is wrong with one.
pub(crate) fn names(text: &str) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("close each {{ with }}")?;
        let name = name.trim();
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(letter) {
            return Err(format!(
                "write a variable as {{{{name}}}}, with up to {MAX_NAME} letters, digits and underscores"
            ));
        }
        names.insert(name.to_owned());
        rest = after;
    }
    Ok(names)
}

/// The text with each variable replaced by its value; one without stays as it is.
pub(crate) fn fill<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        match after.split_once("}}").map(|(name, after)| (value(name.trim()), after)) {
            Some((Some(value), after)) => {
                filled.push_str(value);
                rest = after;
            }
            _ => {
                filled.push_str("{{");
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_between_double_braces() {
        let found = |text| names(text).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(found("call {{name}} on {{ day_1 }}, {{name}}"), ["day_1", "name"]);
        assert_eq!(found("{a} }} b"), [""; 0]);
        for text in ["{{", "{{a}", "{{}}", "{{ }}", "{{a b}}", "{{a{{b}}}}", "{{ä}}"] {
            assert!(names(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_has_no_value_stays() {
        let value = |name: &str| (name == "a").then_some("1");
        assert_eq!(fill("{{a}}{{ a }}{{b}} {{", value), "11{{b}} {{");
    }
}
