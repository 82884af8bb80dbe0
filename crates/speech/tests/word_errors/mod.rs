//! How far what was heard is from what was said.

/// Levenshtein distance in words.
pub fn word_errors(expected: &str, heard: &str) -> usize {
    let heard: Vec<&str> = heard.split_whitespace().collect();
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (index, word) in expected.split_whitespace().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (column, other) in heard.iter().enumerate() {
            let substituted = diagonal + usize::from(word != *other);
            diagonal = row[column + 1];
            row[column + 1] = substituted.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[heard.len()]
}
