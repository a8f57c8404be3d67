//! Columns for terminals.

use crate::show;

/// Prints rows under headings; columns are as wide as their widest cell, the last one is not padded.
pub(crate) fn print<const N: usize>(headings: [&str; N], rows: &[[String; N]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let format = |cells: [&str; N]| {
        let padded: Vec<String> =
            cells.into_iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ")
    };
    show::line(&format(headings));
    for row in rows {
        show::line(&format(std::array::from_fn(|column| row[column].as_str())));
    }
}

/// Shortens a cell that would push the others off the screen.
pub(crate) fn short(text: &str, limit: usize) -> String {
    let one_line = text.replace(char::is_control, " ");
    if one_line.chars().count() <= limit {
        return one_line;
    }
    one_line.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_cells_are_shortened_and_kept_on_one_line() {
        assert_eq!(short("a\nb", 10), "a b");
        assert_eq!(short("abcdefghij", 5), "abcd…");
    }
}
