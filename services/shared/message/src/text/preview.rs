//! The preview: the first characters of a text part, as a list of messages shows them.

/// Collapses white space, drops markup if `html`, and takes at most `max` characters.
pub(crate) fn preview(text: &str, html: bool, max: usize) -> String {
    let stripped;
    let plain = if html {
        stripped = strip_markup(text);
        stripped.as_str()
    } else {
        text
    };
    let mut out = String::new();
    let mut count = 0;
    for word in plain.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        let gap = usize::from(count > 0);
        if count + gap >= max {
            break;
        }
        if gap == 1 {
            out.push(' ');
        }
        count += gap;
        for c in word.chars().take(max - count) {
            out.push(c);
            count += 1;
        }
    }
    out
}

/// Text outside tags; the content of `head`, `style` and `script` is dropped. Good enough to read, not to render.
fn strip_markup(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        push_text(&mut out, &rest[..open]);
        let tag = &rest[open + 1..];
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).take(8).collect();
        let name = name.to_ascii_lowercase();
        let end = if tag.starts_with("!--") {
            tag.find("-->").map(|at| at + 3)
        } else if matches!(name.as_str(), "head" | "style" | "script") {
            find_close(tag, &name)
        } else {
            tag.find('>').map(|at| at + 1)
        };
        out.push(' ');
        rest = end.map_or("", |at| &tag[at..]);
    }
    push_text(&mut out, rest);
    out
}

/// The offset behind `</name>`.
fn find_close(tag: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = tag[from..].find("</") {
        let start = from + at + 2;
        let candidate = tag.as_bytes().get(start..start + name.len());
        if candidate.is_some_and(|c| c.eq_ignore_ascii_case(name.as_bytes())) {
            return tag[start..].find('>').map(|end| start + end + 1);
        }
        from = start;
    }
    None
}

fn push_text(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known = [
            ("&amp;", "&"),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#39;", "'"),
            ("&apos;", "'"),
            ("&nbsp;", " "),
            ("&zwnj;", ""),
        ];
        let (skip, shown) = known
            .iter()
            .find(|(entity, _)| rest.starts_with(entity))
            .map_or((1, "&"), |(entity, shown)| (entity.len(), *shown));
        out.push_str(shown);
        rest = &rest[skip..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::preview;

    #[test]
    fn white_space_is_collapsed_and_length_bounded() {
        assert_eq!(preview("  a\r\n\t b  ", false, 100), "a b");
        assert_eq!(preview("äöü äöü", false, 5), "äöü ä");
        assert_eq!(preview("ab cd", false, 3), "ab");
    }

    #[test]
    fn markup_is_dropped() {
        let html =
            "<html><HEAD><title>x</title></HEAD><style>p{}</style><p>Dear&nbsp;A &amp; B,<br>hi<!-- no -->";
        assert_eq!(preview(html, true, 100), "Dear A & B, hi");
        assert_eq!(preview("a <unclosed", true, 100), "a");
        assert_eq!(preview("<style>x", true, 100), "");
    }
}
