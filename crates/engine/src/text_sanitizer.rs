//! Sanitizing untrusted text: names from people and from other engines.
//!
//! In: any text. Out: the same text without line breaks, characters that change the writing direction, and invisible characters,
//! with which one name could be made to look like another. Joiners and variation selectors stay only where they have a visible
//! effect: between emoji, and in scripts that are written with them (Unicode Standard Annex 31, section 2.3).

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';
/// The flags that are spelled in tag characters: England, Scotland and Wales.
const SPELLED_FLAGS: [&str; 3] = ["gbeng", "gbsct", "gbwls"];
/// The signs that remove a consonant's vowel: a joiner after one decides how it is drawn.
const VIRAMAS: [char; 10] = [
    '\u{094d}', '\u{09cd}', '\u{0a4d}', '\u{0acd}', '\u{0b4d}', '\u{0bcd}', '\u{0c4d}', '\u{0ccd}', '\u{0d4d}',
    '\u{0dca}',
];
/// The most modifiers in a row after an emoji: one skin tone and one variation selector.
const MOST_VARIATIONS: usize = 2;

/// A text without characters that must not be in a name; line breaks are removed too.
#[must_use]
pub fn visible(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(rest) = letters.get(at..).filter(|it| !it.is_empty()) {
        let (before, count) = (&letters[..at], spelled_flag(rest));
        if count > 0 {
            kept.extend(&rest[..count]);
            at += count;
            continue;
        }
        if is_seen(before, rest[0], &rest[1..]) {
            kept.push(rest[0]);
        }
        at += 1;
    }
    kept
}

/// A text as [`visible`] leaves it, cut after `most` characters.
#[must_use]
pub fn visible_within(text: &str, most: usize) -> String {
    let cut: String = visible(text).chars().take(most).collect();
    // A joiner at the cut joins nothing any more.
    visible(&cut)
}

/// Whether a text is as [`visible`] leaves it.
#[must_use]
pub fn is_visible(text: &str) -> bool {
    visible(text) == text
}

fn is_seen(before: &[char], letter: char, after: &[char]) -> bool {
    match letter {
        ZERO_WIDTH_JOINER => joins_emoji(before, after) || follows_virama(before),
        ZERO_WIDTH_NON_JOINER => {
            let between = |is: fn(char) -> bool| {
                before.last().is_some_and(|it| is(*it)) && after.first().is_some_and(|it| is(*it))
            };
            let parts_arabic = between(is_arabic) && before.last().is_some_and(|it| !ends_arabic_joining(*it));
            parts_arabic || follows_virama(before) && after.first().is_some_and(|it| is_indic(*it))
        }
        // Variation selectors for text and emoji style: after a character that has both, or the digit of a keycap.
        '\u{fe0e}' | '\u{fe0f}' => before.last().is_some_and(|it| is_emoji(*it) || is_key(*it)),
        // A variant of an ideograph, as in Japanese names.
        '\u{fe00}'..='\u{fe02}' | '\u{e0100}'..='\u{e01ef}' => before.last().is_some_and(|it| is_ideograph(*it)),
        it => !is_harmful(it),
    }
}

/// Characters that are never visible, change the direction, or break the line.
fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The length of a flag in tag characters at the beginning of a text; 0 if there is none.
fn spelled_flag(letters: &[char]) -> usize {
    if letters.first() != Some(&BLACK_FLAG) {
        return 0;
    }
    let spelled = |name: &str| {
        let tags = name.chars().filter_map(|it| char::from_u32(0xe0000 + u32::from(it))).chain([CANCEL_TAG]);
        letters[1..].iter().copied().take(name.len() + 1).eq(tags)
    };
    SPELLED_FLAGS.iter().find(|name| spelled(name)).map_or(0, |name| name.len() + 2)
}

fn joins_emoji(before: &[char], after: &[char]) -> bool {
    let varied = before.iter().rev().take(MOST_VARIATIONS).take_while(|it| varies_emoji(**it)).count();
    let joined = before.len().checked_sub(varied + 1).and_then(|at| before.get(at));
    joined.is_some_and(|it| is_emoji(*it)) && after.first().is_some_and(|it| is_emoji(*it))
}

/// Skin tones, and the variation selector for emoji style.
fn varies_emoji(letter: char) -> bool {
    matches!(letter, '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// Characters that are an emoji by themselves; regional indicators and skin tones are not.
fn is_emoji(letter: char) -> bool {
    matches!(letter,
        '\u{00a9}' | '\u{00ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2190}'..='\u{21ff}'
        | '\u{2300}'..='\u{23ff}' | '\u{24c2}' | '\u{25aa}'..='\u{25fe}' | '\u{2600}'..='\u{27bf}'
        | '\u{2934}'..='\u{2935}' | '\u{2b05}'..='\u{2b55}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{1f000}'..='\u{1f1e5}' | '\u{1f200}'..='\u{1f3fa}' | '\u{1f400}'..='\u{1faff}')
}

fn is_key(letter: char) -> bool {
    matches!(letter, '0'..='9' | '#' | '*')
}

fn is_ideograph(letter: char) -> bool {
    matches!(letter, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn is_arabic(letter: char) -> bool {
    letter.is_alphabetic()
        && matches!(letter, '\u{0620}'..='\u{074f}' | '\u{0750}'..='\u{077f}' | '\u{08a0}'..='\u{08ff}')
}

/// Arabic letters that never join to the next one: a non-joiner after them is invisible.
fn ends_arabic_joining(letter: char) -> bool {
    matches!(letter,
        '\u{0621}'..='\u{0625}' | '\u{0627}' | '\u{0629}' | '\u{062f}'..='\u{0632}' | '\u{0648}'
        | '\u{0671}'..='\u{0673}' | '\u{0675}'..='\u{0677}' | '\u{0688}'..='\u{0699}' | '\u{06c0}'
        | '\u{06c3}'..='\u{06cb}' | '\u{06cd}' | '\u{06cf}' | '\u{06d2}'..='\u{06d5}' | '\u{06ee}'..='\u{06ef}')
}

fn is_indic(letter: char) -> bool {
    letter.is_alphabetic() && matches!(letter, '\u{0900}'..='\u{0dff}')
}

fn follows_virama(before: &[char]) -> bool {
    before.last().is_some_and(|it| VIRAMAS.contains(it))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_seen_stays() {
        for text in [
            "Zoë’s café, Ünïcode 🦉",
            // A profession, a family, a colour of skin, a heart that is a picture, a flag of two letters, of three pictures,
            // and of invisible letters, a key.
            "👩‍💻 Ann",
            "👨‍👩‍👧‍👦",
            "👋🏽",
            "👩🏽‍🚀",
            "👩‍❤️‍👨",
            "🇫🇷",
            "🏳️‍🌈",
            "🏴‍☠️",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "1️⃣",
            // Persian, Hindi, Sinhala, Arabic, Hebrew, a Japanese name with its own shape.
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "क्\u{200c}ष",
            "ශ්\u{200d}රී",
            "ليلى",
            "שלום",
            "葛\u{e0100}城",
        ] {
            assert_eq!(visible(text), text);
            assert!(is_visible(text));
        }
    }

    #[test]
    fn what_nobody_sees_goes() {
        for (text, left) in [
            ("a\u{202e}b\n\tc\u{2066}", "abc"),
            ("a\u{200b}b\u{feff}\u{00ad}\u{034f}", "ab"),
            // Joiners that join nothing.
            ("a\u{200d}b", "ab"),
            ("ab\u{200c}", "ab"),
            ("\u{200d}👩\u{200d}", "👩"),
            ("👩\u{200d}\u{200d}💻", "👩💻"),
            ("👩\u{200d}a", "👩a"),
            ("👩\u{202e}\u{200d}💻", "👩💻"),
            ("🇫\u{200d}🇷", "🇫🇷"),
            // After a letter that joins nothing behind it.
            ("د\u{200c}ر", "در"),
            ("می\u{200c}", "می"),
            ("क\u{200d}ष", "कष"),
            // Shapes of what has one shape.
            ("Ann\u{fe0f}", "Ann"),
            ("Ann\u{e0100}", "Ann"),
            // Letters that only flags are made of, and blanks that are none.
            ("Ann\u{e0067}\u{e007f}", "Ann"),
            ("🏴\u{e0067}\u{e0062}\u{e007f}", "🏴"),
            ("\u{3164}\u{115f}\u{2800}", ""),
        ] {
            assert_eq!(visible(text), left, "{text:?}");
            assert!(!is_visible(text));
        }
    }

    #[test]
    fn what_is_cut_joins_nothing() {
        assert_eq!(visible_within("👩‍💻", 3), "👩‍💻");
        assert_eq!(visible_within("👩‍💻", 2), "👩");
        assert_eq!(visible_within("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", 4), "🏴");
    }

    proptest! {
        #[test]
        fn what_was_left_is_left_again(text in "[a👩💻🏴\u{200c}\u{200d}\u{fe0f}\u{e0067}\u{202e}मी्क1]{0,12}|\\PC{0,20}") {
            let once = visible(&text);
            prop_assert_eq!(visible(&once), once);
        }
    }
}
