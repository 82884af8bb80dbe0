//! Pure: no I/O, no clock.
//! [`Text`]: Prometheus' text format, version 0.0.4.

use std::fmt::Write as _;

/// What a scrape gets.
#[derive(Debug, Default)]
pub(crate) struct Text {
    written: String,
    family: &'static str,
}

/// What the samples of a family are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// It only grows.
    Counter,
    /// It is what it is now.
    Gauge,
    /// Buckets, their sum and count.
    Histogram,
}

impl Text {
    /// Begins a family; the samples that follow are its.
    pub(crate) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.family = name;
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// One sample of the family.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.sample_of("", labels, value);
    }

    /// One sample of a part of the family: `_bucket`, `_sum`, `_count`.
    pub(crate) fn sample_of(&mut self, part: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let family = self.family;
        self.line(format_args!("{family}{part}{labels} {value}"));
    }

    pub(crate) fn finish(self) -> String {
        self.written
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // A string takes all that is written to it.
        let _ = writeln!(self.written, "{line}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_head_once_and_labels_are_escaped() {
        let mut text = Text::default();
        text.family("trunk_calls", Kind::Gauge, "Calls.");
        text.sample(&[("trunk", "a\"b\\c\nd"), ("state", "x")], 2.0);
        text.sample(&[], 0.25);
        assert_eq!(
            text.finish(),
            "# HELP trunk_calls Calls.\n# TYPE trunk_calls gauge\n\
             trunk_calls{trunk=\"a\\\"b\\\\c\\nd\",state=\"x\"} 2\ntrunk_calls 0.25\n"
        );
    }
}
