//! Text of others as people can look at it: a character that a terminal would obey, or that would hide where a line ends or
//! in which order it is to be read, is shown as its escape. Whatever is for programs to read stays as it is.
//!
//! Names in components, output of guests and messages of tools may hold anything. Shown raw, a carriage return and an escape
//! sequence are enough to draw a line that looks like one of the host's.

use std::borrow::Cow;

/// Text in one line: line breaks are escaped too. Tabs stay.
///
/// ```
/// assert_eq!(lp_base::shown::line("a\r\u{1b}[2Kb\n"), r"a\r\u{1b}[2Kb\n");
/// ```
pub fn line(text: &str) -> Cow<'_, str> {
    shown(text, is_obeyed, |_| 0)
}

/// Text that may have several lines, each of which is the writer's own.
pub fn lines(text: &str) -> Cow<'_, str> {
    shown(text, |c| c != '\n' && is_obeyed(c), |_| 0)
}

/// Lines that may have colours: sequences that set how characters look stay too.
pub fn styled_lines(text: &str) -> Cow<'_, str> {
    shown(text, |c| c != '\n' && is_obeyed(c), style_bytes)
}

/// Escapes each character that `is_bad`, but for sequences of so many bytes as `kept_bytes` finds at the start of a text.
fn shown(text: &str, is_bad: impl Fn(char) -> bool, kept_bytes: impl Fn(&str) -> usize) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(place) = rest.find(&is_bad) {
        let (before, bad) = rest.split_at(place);
        out.push_str(before);
        let kept = kept_bytes(bad);
        let (kept, after) = bad.split_at(kept);
        out.push_str(kept);
        rest = after;
        if kept.is_empty() {
            let mut chars = rest.chars();
            out.extend(chars.by_ref().take(1).flat_map(char::escape_default));
            rest = chars.as_str();
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Whether a terminal or a reader would take the character for an order.
fn is_obeyed(c: char) -> bool {
    match c {
        '\t' => false,
        // Line and paragraph separators, and what turns the order of a line around.
        '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

/// The length of the sequence that sets colours and the like, such as `ESC [ 1 ; 31 m`, at the start of a text; 0 if there
/// is none.
fn style_bytes(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else { return 0 };
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':').unwrap_or(parameters.len());
    if parameters[end..].starts_with('m') { "\u{1b}[".len() + end + "m".len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(line(text), expected);
        check("plain, tab\tand ünïcödé │ 🦀", "plain, tab\tand ünïcödé │ 🦀");
        check("a\rb\nc\0d\u{8}e\u{b}f\u{7f}", r"a\rb\nc\u{0}d\u{8}e\u{b}f\u{7f}");
        check("\u{1b}]0;title\u{7}\u{1b}[?1049h", r"\u{1b}]0;title\u{7}\u{1b}[?1049h");
        check("\u{1b}[31mred\u{1b}[m", r"\u{1b}[31mred\u{1b}[m");
        check("\u{85}\u{9b}2J\u{2028}\u{2029}", r"\u{85}\u{9b}2J\u{2028}\u{2029}");
        check("\u{202e}desrever\u{2069}", r"\u{202e}desrever\u{2069}");
        check("", "");
    }

    #[test]
    fn lines_stay_lines_and_styles_stay_where_they_may() {
        let text = "\u{1b}[1;31mred\u{1b}[0m\r\n\u{1b}[38:5:1m\u{1b}[2K\u{1b}[3\u{1b}";
        assert_eq!(lines(text), "\\u{1b}[1;31mred\\u{1b}[0m\\r\n\\u{1b}[38:5:1m\\u{1b}[2K\\u{1b}[3\\u{1b}");
        let styled = "\u{1b}[1;31mred\u{1b}[0m\\r\n\u{1b}[38:5:1m\\u{1b}[2K\\u{1b}[3\\u{1b}";
        assert_eq!(styled_lines(text), styled);
    }

    #[test]
    fn text_that_needs_nothing_is_not_copied() {
        assert!(matches!(line("plain\ttext"), Cow::Borrowed(_)));
        assert!(matches!(lines("plain\ntext"), Cow::Borrowed(_)));
        assert!(matches!(styled_lines("plain\ntext"), Cow::Borrowed(_)));
    }
}
