//! Aligned text. What other servers said is printed without its control characters.

/// One column of a table of `T`.
pub struct Column<T> {
    /// The heading.
    pub name: &'static str,
    /// Where its text stands.
    pub side: Side,
    /// The text of one row.
    pub text: fn(&T) -> String,
}

impl<T> std::fmt::Debug for Column<T> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Column").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

impl<T> Column<T> {
    /// A column of words.
    pub const fn left(name: &'static str, text: fn(&T) -> String) -> Self {
        Self { name, side: Side::Left, text }
    }

    /// A column of numbers.
    pub const fn right(name: &'static str, text: fn(&T) -> String) -> Self {
        Self { name, side: Side::Right, text }
    }
}

/// A heading and a line for each item, columns two spaces apart, no space at the end of a line.
pub(super) fn grid<T>(items: &[T], columns: &[Column<T>]) -> String {
    let heading: Vec<String> = columns.iter().map(|column| column.name.to_owned()).collect();
    let cells = |item: &T| columns.iter().map(|column| clean(&(column.text)(item))).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(items.iter().map(cells)).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), column) in row.iter().zip(&widths).zip(columns) {
            let gap = " ".repeat(width - cell.chars().count());
            match column.side {
                Side::Left => line.extend([cell.as_str(), &gap, "  "]),
                Side::Right => line.extend([&gap, cell.as_str(), "  "]),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `name  value` lines.
pub(super) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let line = |(name, value): &(&str, String)| {
        let line = format!("{name:width$}  {}", clean(value));
        format!("{}\n", line.trim_end())
    };
    fields.iter().map(line).collect()
}

/// Control characters, which could move the cursor, become `?`.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let items = [("köln.test", 7), ("a.test", 1234)];
        let columns = [
            Column::left("NAME", |item: &(&str, u32)| item.0.to_owned()),
            Column::right("N", |item| item.1.to_string()),
        ];
        assert_eq!(grid(&items, &columns), "NAME          N\nköln.test     7\na.test     1234\n");
        assert_eq!(grid(&[], &columns), "NAME  N\n");
    }

    #[test]
    fn control_characters_of_others_do_not_reach_the_terminal() {
        let text = fields(&[("reply", "550 \x1b[2Jno\r\n\u{9b}1m".to_owned()), ("n", String::new())]);
        assert_eq!(text, "reply  550 ?[2Jno???1m\nn\n");
    }
}
