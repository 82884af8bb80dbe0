//! Durations as people write them: `20s`, `1h30m`, `30d`, `500ms`.

use std::time::Duration;

/// The longest duration a configuration may ask for: ten years.
const MAX: u64 = 10 * 365 * 24 * 3600;

/// Reads a duration that is longer than nothing; the error says what to write.
pub fn parse_some(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err(format!("{text:?} is no time at all; write for example \"20s\", \"10m\" or \"30d\"")),
        duration => Ok(duration),
    }
}

/// Reads a duration, which may be nothing at all.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration; write for example \"20s\", \"10m\", \"1h30m\" or \"30d\"");
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(24 * 3600),
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        let part = u32::try_from(count).ok().and_then(|count| unit.checked_mul(count)).ok_or_else(wrong)?;
        total = total.saturating_add(part);
    }
    if total > Duration::from_secs(MAX) {
        return Err(format!("{text:?} is longer than ten years"));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(parse(text).ok().map(|duration| duration.as_millis() as u64), expected, "{text:?}");
        };
        check("20s", Some(20_000));
        check("10m", Some(600_000));
        check("1h30m", Some(5_400_000));
        check("30d", Some(2_592_000_000));
        check("500ms", Some(500));
        check("", None);
        check("20", None);
        check("s", None);
        check("20 s", None);
        check("20x", None);
        check("-5s", None);
        check("99999999999999999999s", None);
        check("9999d", None);
    }
}
