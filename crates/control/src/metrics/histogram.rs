//! Pure: no I/O, no clock.
//! [`Histogram`]: how often a figure was how large.

use super::Text;

/// Counts by upper bound.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    /// Figures at most the bound of the same place and above the one before.
    counts: Vec<u64>,
    /// All figures, those above the last bound too.
    count: u64,
    sum: f64,
}

impl Histogram {
    /// With these upper bounds, which rise.
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len()], count: 0, sum: 0.0 }
    }

    /// Counts a figure; what is no number is none.
    pub(crate) fn observe(&mut self, figure: f64) {
        if !figure.is_finite() {
            return;
        }
        let place = self.bounds.iter().zip(&mut self.counts).find(|(bound, _)| figure <= **bound);
        if let Some((_, count)) = place {
            *count += 1;
        }
        self.count += 1;
        self.sum += figure;
    }

    /// Writes its samples after the head of its family.
    pub(crate) fn write(&self, text: &mut Text) {
        let mut below: u64 = 0;
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            below += count;
            let bound = bound.to_string();
            text.sample_of("_bucket", &[("le", bound.as_str())], below as f64);
        }
        text.sample_of("_bucket", &[("le", "+Inf")], self.count as f64);
        text.sample_of("_sum", &[], self.sum);
        text.sample_of("_count", &[], self.count as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Kind;

    #[test]
    fn figures_count_in_each_bucket_that_holds_them() {
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        for figure in [0.25, 0.5, 0.75, 8.0, f64::NAN, f64::INFINITY] {
            histogram.observe(figure);
        }
        let mut text = Text::default();
        text.family("seconds", Kind::Histogram, "Some.");
        histogram.write(&mut text);
        assert_eq!(
            text.finish(),
            "# HELP seconds Some.\n# TYPE seconds histogram\nseconds_bucket{le=\"0.5\"} 2\nseconds_bucket{le=\"1\"} 3\n\
             seconds_bucket{le=\"+Inf\"} 4\nseconds_sum 9.5\nseconds_count 4\n"
        );
    }
}
