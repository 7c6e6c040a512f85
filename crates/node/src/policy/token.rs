//! The tokens of the S-expression form: the text format of WebAssembly, as far as policies use it.

use super::expression::is_hidden;
use super::{PolicyError, PolicyFault};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    OpenSequence,
    CloseSequence,
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Name(String),
}

/// Reads a text word by word.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where the next word is looked for.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next word and where it begins.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Token)>, PolicyError> {
        self.skip_blanks()?;
        let start = self.at;
        let Some(first) = self.rest().bytes().next() else { return Ok(None) };
        let single = match first {
            b'(' => Token::Open,
            b')' => Token::Close,
            b'[' => Token::OpenSequence,
            b']' => Token::CloseSequence,
            b'"' => return self.quoted().map(|text| Some((start, Token::Text(text)))),
            _ if is_word(first) => return self.word().map(|word| Some((start, word))),
            _ => return Err(PolicyFault::Unexpected.at(start)),
        };
        self.at += 1;
        Ok(Some((start, single)))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) -> Result<(), PolicyError> {
        loop {
            let rest = self.rest();
            let length = if rest.starts_with([' ', '\t', '\r', '\n']) {
                1
            } else if rest.starts_with(";;") {
                rest.find(['\n', '\r']).unwrap_or(rest.len())
            } else if rest.starts_with("(;") {
                comment(rest).ok_or(PolicyFault::Unfinished.at(self.at))?
            } else {
                return Ok(());
            };
            let hidden = |character: char| is_hidden(character) && !character.is_ascii_control();
            if let Some(at) = rest[..length].find(hidden) {
                return Err(PolicyFault::Hidden.at(self.at + at));
            }
            self.at += length;
        }
    }

    /// A text in quotation marks, and nothing right behind it.
    fn quoted(&mut self) -> Result<String, PolicyError> {
        let start = self.at;
        let mut bytes = Vec::new();
        let mut characters = self.text[start + 1..].char_indices().map(|(at, character)| (start + 1 + at, character));
        let mut next = || characters.next().ok_or(PolicyFault::Unfinished.at(start));
        let end = loop {
            match next()? {
                (at, '"') => break at + 1,
                (at, '\\') => match next()?.1 {
                    't' => bytes.push(b'\t'),
                    'n' => bytes.push(b'\n'),
                    'r' => bytes.push(b'\r'),
                    plain @ ('"' | '\'' | '\\') => bytes.push(plain as u8),
                    'u' => {
                        let character = code_point(&mut next)?.ok_or(PolicyFault::BadEscape.at(at))?;
                        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                    high => {
                        let digits = (high.to_digit(16), next()?.1.to_digit(16));
                        let (Some(high), Some(low)) = digits else { return Err(PolicyFault::BadEscape.at(at)) };
                        bytes.push((high << 4 | low) as u8);
                    }
                },
                (at, hidden) if is_hidden(hidden) => return Err(PolicyFault::Hidden.at(at)),
                (_, plain) => bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        };
        if self.text[end..].bytes().next().is_some_and(|next| next == b'"' || is_word(next)) {
            return Err(PolicyFault::Unexpected.at(end));
        }
        self.at = end;
        String::from_utf8(bytes).map_err(|_| PolicyFault::NotUtf8.at(start))
    }

    /// A number, `true`, `false`, or a name.
    fn word(&mut self) -> Result<Token, PolicyError> {
        let (start, rest) = (self.at, self.rest());
        let length = rest.bytes().position(|byte| !is_word(byte)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length);
        if behind.starts_with('"') {
            return Err(PolicyFault::Unexpected.at(start + length));
        }
        self.at += length;
        match word {
            "true" => return Ok(Token::Bool(true)),
            "false" => return Ok(Token::Bool(false)),
            _ => {}
        }
        match number(word) {
            Some(number) => number.ok_or(PolicyFault::BadNumber.at(start)),
            None if is_name(word) => Ok(Token::Name(word.to_owned())),
            None => Err(PolicyFault::BadName.at(start)),
        }
    }
}

/// The length of the comment that the text begins with; comments can be inside comments.
fn comment(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0);
    loop {
        match text.as_bytes().get(at..at + 2)? {
            b"(;" => depth += 1,
            b";)" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The character whose hexadecimal number comes in braces; none if there is no such character.
fn code_point(next: &mut impl FnMut() -> Result<(usize, char), PolicyError>) -> Result<Option<char>, PolicyError> {
    if next()?.1 != '{' {
        return Ok(None);
    }
    let (mut number, mut digits) = (0u32, 0);
    loop {
        match next()?.1 {
            '}' => return Ok(if digits == 0 { None } else { char::from_u32(number) }),
            digit => match (digit.to_digit(16), number.checked_mul(16)) {
                (Some(digit), Some(shifted)) => (number, digits) = (shifted + digit, digits + 1),
                _ => return Ok(None),
            },
        }
    }
}

/// Whether numbers and names are made of it; not every combination is one.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-./:<=>?@\\^_`|~".contains(&byte)
}

fn is_name(word: &str) -> bool {
    let starts = |byte: u8| byte.is_ascii_alphabetic() || b"!%&*/<=>?~_^".contains(&byte);
    let goes_on = |byte: u8| !b"#'\\`|".contains(&byte);
    word.bytes().next().is_some_and(starts) && word.bytes().all(goes_on)
}

/// The number that a word is; `Some(None)` if it is written like one but cannot be read.
fn number(word: &str) -> Option<Option<Token>> {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let sign = if word.starts_with('-') { "-" } else { "" };
    match unsigned {
        "inf" => return Some(Some(Token::Float(if sign.is_empty() { f64::INFINITY } else { f64::NEG_INFINITY }))),
        "nan" => return Some(Some(Token::Float(f64::NAN))),
        _ => {}
    }
    if let Some(digits) = unsigned.strip_prefix("0x") {
        let end = digits_of(digits, u8::is_ascii_hexdigit)?;
        let whole = end == digits.len();
        // Floats in hexadecimal are not read.
        let value = whole.then(|| i64::from_str_radix(&format!("{sign}{}", digits.replace('_', "")), 16).ok());
        return Some(value.flatten().map(Token::Integer));
    }
    let end = digits_of(unsigned, u8::is_ascii_digit)?;
    if end == unsigned.len() {
        return Some(format!("{sign}{}", unsigned.replace('_', "")).parse().ok().map(Token::Integer));
    }
    let mut rest = &unsigned[end..];
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = &fraction[digits_of(fraction, u8::is_ascii_digit).unwrap_or(0)..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        rest = &exponent[digits_of(exponent, u8::is_ascii_digit)?..];
    }
    rest.is_empty().then(|| word.parse().ok().map(Token::Float))
}

/// The length of the digits at the beginning, which may have single underscores between them.
fn digits_of(text: &str, is_digit: fn(&u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|byte| !is_digit(byte) && *byte != b'_').unwrap_or(bytes.len());
    let digits = &bytes[..end];
    let proper = digits.first().is_some_and(is_digit) && digits.last().is_some_and(is_digit);
    (proper && !digits.windows(2).any(|pair| pair == b"__")).then_some(end)
}
