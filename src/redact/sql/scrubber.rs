use crate::redact::sql::literal::{self, Dialect, Dollar, Unclear};
use crate::redact::sql::words::{self, Class, MAX_READ};

/// Returns a statement without comments and with `?` for each literal. Lists of literals become one `?`.
///
/// The result may be cut once it is longer than `max_bytes`. At most [`MAX_READ`] bytes are read.
pub(crate) fn scrubbed(statement: &str, dialect: Dialect, max_bytes: usize) -> String {
    let mut scrubber = Scrubber {
        text: statement,
        at: 0,
        shown: String::with_capacity(statement.len().min(max_bytes).min(MAX_READ)),
        dialect,
        class: None,
        bracket: Bracket::None,
    };
    if scrubber.read(max_bytes).is_err() {
        scrubber
            .shown
            .truncate(scrubber.bracket.safe_end(scrubber.shown.len()));
        scrubber.shown.push('…');
    }
    let end = scrubber.shown.trim_end().len();
    scrubber.shown.truncate(end);
    scrubber.shown
}

struct Scrubber<'s> {
    text: &'s str,
    /// The position up to which the text is read.
    at: usize,
    shown: String,
    dialect: Dialect,
    /// The kind of the statement by its first word. `None` before that word.
    class: Option<Class>,
    bracket: Bracket,
}

/// The reading of a `[` as the start of a name.
#[derive(Clone, Copy)]
enum Bracket {
    None,
    /// The name would end here.
    Open {
        /// The position of the `]`.
        end: usize,
        /// The length of the output before the `[`.
        shown: usize,
    },
    /// No `]` follows that could end a name.
    Never,
}

impl Bracket {
    fn safe_end(self, shown: usize) -> usize {
        match self {
            Self::Open { shown, .. } => shown,
            _ => shown,
        }
    }
}

impl<'s> Scrubber<'s> {
    /// Reads the text. Stops where it cannot be told what is data.
    fn read(&mut self, max_bytes: usize) -> Result<(), Unclear> {
        while let Some(c) = self.rest().chars().next() {
            if self.at > MAX_READ {
                return Err(Unclear);
            }
            if self.shown.len() > max_bytes {
                return Ok(());
            }
            let start = self.at;
            self.token(c)?;
            self.leave_bracket(start)?;
        }
        Ok(())
    }

    fn rest(&self) -> &'s str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads one token, which begins with `c`.
    fn token(&mut self, c: char) -> Result<(), Unclear> {
        let (rest, dialect) = (self.rest(), self.dialect);
        let is_any = dialect == Dialect::Any;
        match c {
            '\'' => self.skip_literal(literal::quoted(rest, '\'', dialect)?),
            '"' => {
                let length = literal::quoted(rest, '"', dialect)?;
                match is_any {
                    true => self.skip_literal(length),
                    false => self.show_name(length),
                }
            }
            '`' => self.show_name(literal::name_in_backticks(rest, dialect)?),
            '[' if is_any => {
                self.enter_bracket();
                self.show(c);
            }
            '#' if is_any => self.skip_comment(literal::unsure_comment(rest)?),
            '/' if is_any && rest.starts_with("//") => {
                self.skip_comment(literal::unsure_comment(rest)?);
            }
            '/' if rest.starts_with("/*") => self.skip_comment(literal::block_comment(rest)?),
            '-' if rest.starts_with("--") => {
                self.skip_comment(literal::line_comment(rest, dialect)?);
            }
            '$' => match literal::dollar(rest, dialect)? {
                Dollar::Alone => self.show(c),
                Dollar::Literal { length, is_sure } => {
                    self.skip_literal(length);
                    return is_sure.then_some(()).ok_or(Unclear);
                }
            },
            '?' => self.skip_literal(1),
            ';' => {
                self.show(c);
                self.class = None;
            }
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.skip_literal(literal::number(rest));
            }
            _ if c.is_numeric() => self.skip_literal(literal::number(rest)),
            _ if c.is_alphabetic() || c == '_' => return self.word(),
            _ if c.is_whitespace() || c.is_control() => self.skip_comment(c.len_utf8()),
            // Quotes of a typesetter, and what else is no SQL.
            _ if !c.is_ascii() => return Err(Unclear),
            _ => self.show(c),
        }
        Ok(())
    }

    fn skip_literal(&mut self, length: usize) {
        self.at += length;
        self.show_literal();
    }

    /// Passes over what counts as a space.
    fn skip_comment(&mut self, length: usize) {
        self.at += length;
        if !self.shown.is_empty() && !self.shown.ends_with(' ') {
            self.shown.push(' ');
        }
    }

    /// Shows a quoted name, unless it may be data.
    fn show_name(&mut self, length: usize) {
        let name = &self.rest()[..length];
        if literal::is_plain_name(&name[1..length - 1]) {
            self.at += length;
            self.shown.push_str(name);
        } else {
            self.skip_literal(length);
        }
    }

    fn word(&mut self) -> Result<(), Unclear> {
        let rest = self.rest();
        if literal::is_uuid(rest) {
            self.skip_literal(literal::number(rest));
            return Ok(());
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$')));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        if after.starts_with(['\'', '"']) && words::is_string_prefix(word) {
            self.at += word.len();
            let is_oracle = after.starts_with('\'') && words::is_oracle_prefix(word);
            if is_oracle && self.dialect == Dialect::Any {
                self.skip_literal(literal::oracle_string(after)?);
            }
            return Ok(());
        }
        if words::is_boolean(word) {
            self.skip_literal(word.len());
            return Ok(());
        }
        let class = *self.class.get_or_insert_with(|| words::class(word));
        if class == Class::Unknown {
            return Err(Unclear);
        }
        self.at += word.len();
        self.shown.push_str(word);
        if class.stops_at(word) {
            self.shown.push(' ');
            return Err(Unclear);
        }
        Ok(())
    }

    fn show(&mut self, c: char) {
        self.at += c.len_utf8();
        self.shown.push(c);
        if matches!(c, ')' | ']') {
            self.join_rows();
        }
    }

    /// Shows a literal. Of several in a list, one is shown.
    fn show_literal(&mut self) {
        if self.shown.ends_with('?') {
            return;
        }
        if let Some(before) = self.shown.strip_suffix(['-', '+'])
            && before.trim_end().ends_with(['(', ',', '=', '<', '>', '['])
        {
            self.shown.truncate(before.len());
        }
        let list = self.shown.trim_end().strip_suffix(',').map(str::trim_end);
        match list.filter(|list| list.ends_with('?')) {
            Some(list) => self.shown.truncate(list.len()),
            None => self.shown.push('?'),
        }
    }

    /// Makes one row of `(?), (?)`.
    fn join_rows(&mut self) {
        for row in ["(?)", "[?]"] {
            let list = self.shown.strip_suffix(row).map(str::trim_end);
            let first = list.and_then(|list| list.strip_suffix(','));
            let first = first.map(str::trim_end);
            if let Some(first) = first.filter(|first| first.ends_with(row)) {
                self.shown.truncate(first.len());
            }
        }
    }

    /// Notes where a name in brackets would end.
    fn enter_bracket(&mut self) {
        if !matches!(self.bracket, Bracket::None) {
            return;
        }
        let text = self.text.as_bytes();
        let mut at = self.at + 1;
        self.bracket = Bracket::Never;
        while let Some(found) = text
            .get(at..)
            .and_then(|rest| rest.iter().position(|b| *b == b']'))
        {
            at += found;
            if text.get(at + 1) == Some(&b']') {
                at += 2;
                continue;
            }
            self.bracket = Bracket::Open {
                end: at,
                shown: self.shown.len(),
            };
            return;
        }
    }

    /// Checks that the token that begins at `start` does not reach over the end of a name in brackets.
    fn leave_bracket(&mut self, start: usize) -> Result<(), Unclear> {
        let Bracket::Open { end, .. } = self.bracket else {
            return Ok(());
        };
        if self.at <= end {
            return Ok(());
        }
        if start != end {
            return Err(Unclear);
        }
        self.bracket = Bracket::None;
        Ok(())
    }
}
