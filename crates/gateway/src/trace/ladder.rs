//! Pure: no I/O, no clock.
//!
//! A call's messages as a ladder of arrows, and below it the messages themselves.

use std::fmt::Write;
use std::time::Duration;

use super::TracedMessage;

/// Columns between our line and theirs.
const WIDTH: usize = 58;

/// The ladder: time since the first message, an arrow a message, then each message in full. Plain text.
///
/// ```text
///                offhook 192.0.2.1:5060                                    198.51.100.7:5060 UDP
///     0.000   1  |── INVITE sip:+15550100@trunk.test (SDP) ────────────────▶|
///     0.142   2  |◀───────────────────────────────── 180 Ringing (INVITE) ──|
/// ```
pub fn ladder(messages: &[TracedMessage]) -> String {
    let mut text = String::new();
    let Some(first) = messages.first() else { return "no SIP message of this call is kept\n".to_owned() };
    let mut parties = None;
    let mut call_id = String::new();
    let mut expected = first.number;
    for message in messages {
        let summary = message.summary();
        if call_id != summary.call_id {
            call_id = summary.call_id;
            let _ = writeln!(text, "Call-ID {}", printable(&call_id));
        }
        let between = (&message.transport, message.local, message.remote);
        if parties.replace(between) != Some(between) {
            let ours = format!("offhook {}", message.local);
            let theirs = format!("{} {}", message.remote, message.transport);
            let _ = writeln!(text, "               {ours:<WIDTH$}{theirs}");
        }
        let missing = message.number.saturating_sub(expected);
        if missing > 0 {
            let _ = writeln!(text, "               … {missing} messages not kept");
        }
        expected = message.number.saturating_add(1);
        let since = message.at.duration_since(first.at).unwrap_or(Duration::ZERO).as_secs_f64();
        let arrow = arrow(message.sent, &summary.title, summary.has_sdp);
        let _ = writeln!(text, "{since:>9.3} {:>3}  |{arrow}|", message.number);
    }
    for message in messages {
        let way = if message.sent { "sent to" } else { "received from" };
        let _ = writeln!(text, "\n── {}: {way} {} {}", message.number, message.remote, message.transport);
        let decoded = String::from_utf8_lossy(&message.bytes);
        for line in decoded.trim_end().lines() {
            text.push_str(&printable(line));
            text.push('\n');
        }
    }
    text
}

/// Without what could steer a terminal or turn the order of what it shows.
fn printable(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|&c| c == '\t' || !(c.is_control() || turns(c))).collect()
}

/// `── title ────▶` or `◀──── title ──`, always as wide.
fn arrow(sent: bool, title: &str, has_sdp: bool) -> String {
    let room = WIDTH - 8;
    let mut label = printable(title).replace('\t', " ");
    if has_sdp {
        label.push_str(" (SDP)");
    }
    if label.chars().count() > room {
        label = label.chars().take(room - 1).chain(['…']).collect();
    }
    let dashes = "─".repeat(WIDTH - 5 - label.chars().count());
    if sent { format!("── {label} {dashes}▶") } else { format!("◀{dashes} {label} ──") }
}

#[cfg(test)]
mod tests {
    use super::super::tests::traced;
    use super::*;

    fn message(ms: u64, number: u32, sent: bool, text: &str) -> TracedMessage {
        TracedMessage { number, ..traced(ms, sent, text.replace('\n', "\r\n").as_bytes()) }
    }

    #[test]
    fn arrows_point_the_way_a_message_went_and_bodies_follow() {
        let text = ladder(&[
            message(0, 1, true, "INVITE sip:+15550100@trunk.test SIP/2.0\nCall-ID: 7\nCSeq: 1 INVITE\n\nv=0\n"),
            message(142, 2, false, "SIP/2.0 180 Ringing\nCall-ID: 7\nCSeq: 1 INVITE\n\n"),
        ]);
        let lines: Vec<_> = text.lines().take(4).collect();
        assert_eq!(
            lines,
            [
                "Call-ID 7",
                "               offhook 192.0.2.1:5060                                    198.51.100.7:5060 UDP",
                "    0.000   1  |── INVITE sip:+15550100@trunk.test (SDP) ────────────────▶|",
                "    0.142   2  |◀───────────────────────────────── 180 Ringing (INVITE) ──|",
            ]
        );
        assert!(
            text.ends_with(
                "── 2: received from 198.51.100.7:5060 UDP\nSIP/2.0 180 Ringing\nCall-ID: 7\nCSeq: 1 INVITE\n"
            )
        );
    }

    #[test]
    fn hostile_text_cannot_steer_a_terminal_nor_break_the_lanes() {
        let hostile = format!("INVITE sip:{}\u{1b}[2J SIP/2.0\nX: \u{1b}]0;owned\u{7}\u{202e}\n\n", "x".repeat(500));
        let text = ladder(&[message(0, 1, false, &hostile)]);
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']));
        let lane = text.lines().nth(1).map(|line| line.chars().count());
        assert_eq!(lane, Some("    0.000   1  |".chars().count() + WIDTH + 1));
    }

    #[test]
    fn messages_that_were_not_kept_are_counted() {
        let bye = "BYE sip:a SIP/2.0\nCall-ID: 7\n\n";
        let text = ladder(&[message(0, 1, true, bye), message(500, 4, true, bye)]);
        let lines: Vec<_> = text.lines().skip(3).take(2).collect();
        assert_eq!(lines[0], "               … 2 messages not kept");
        assert!(lines[1].starts_with("    0.500   4  |── BYE sip:a ─"), "{text}");
    }

    #[test]
    fn nothing_kept_is_said() {
        assert_eq!(ladder(&[]), "no SIP message of this call is kept\n");
    }
}
